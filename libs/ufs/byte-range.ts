import { UfsError, type UfsObject, type UfsReadOptions } from './types.js';

/**
 * The bytes that `start` and `end` (inclusive) choose of an object. An `end` beyond the last byte means the end, as in
 * HTTP (RFC 9110, 14.1.2); reading an empty object, or from exactly its end, gives no bytes.
 * @throws UfsError `Invalid` when the range begins after the end or is no range
 */
export function byteRange(
  object: Pick<UfsObject, 'path' | 'sizeBytes'>,
  options: Pick<UfsReadOptions, 'start' | 'end'>,
): { start: number; length: number } {
  const start = options.start ?? 0;
  const end = Math.min(options.end ?? Infinity, object.sizeBytes - 1);
  const wellFormed = [start, options.end ?? start].every((bound) => Number.isSafeInteger(bound) && bound >= 0);
  if (!wellFormed || (options.end !== undefined && options.end < start) || start > object.sizeBytes) {
    const asked = `${options.start ?? 0}-${options.end ?? ''}`;
    throw new UfsError(
      'Invalid',
      object.path,
      `The range ${asked} does not fit an object of ${object.sizeBytes} bytes: ${object.path}.`,
    );
  }
  return { start, length: Math.max(0, end - start + 1) };
}
