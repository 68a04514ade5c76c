import { printable } from './names.js';
import { UfsError, type UfsObject, type UfsReadOptions } from './types.js';

/**
 * The bytes of an object from `start` to `end` (inclusive). An `end` beyond the last byte means the end, as in HTTP
 * (RFC 9110, 14.1.2). Reading an empty object, or from exactly its end, gives no bytes.
 * @throws UfsError `Invalid` when the range begins after the end or is no range
 */
export function byteRange(
  object: Pick<UfsObject, 'path' | 'sizeBytes'>,
  options: Pick<UfsReadOptions, 'start' | 'end'>,
): { start: number; length: number } {
  assertRange(object.path, options);
  const start = options.start ?? 0;
  if (start > object.sizeBytes) {
    const sentence = `The range begins at ${start}, behind the ${object.sizeBytes} bytes of ${printable(object.path)}.`;
    throw new UfsError('Invalid', object.path, sentence);
  }
  const end = Math.min(options.end ?? Infinity, object.sizeBytes - 1);
  return { start, length: Math.max(0, end - start + 1) };
}

/** Checks a range as far as possible before the object is known. @throws UfsError `Invalid` */
export function assertRange(path: string, { start = 0, end = start }: Pick<UfsReadOptions, 'start' | 'end'>): void {
  if ([start, end].every((bound) => Number.isSafeInteger(bound) && bound >= 0) && start <= end) return;
  throw new UfsError('Invalid', path, `The range ${start}-${end} is none: ${printable(path)}.`);
}
