import { UfsError } from '../types.js';
import { abortedError, networkError } from './s3-errors.js';

/** Enough of an error answer to find its code in. */
export const errorBodyBytes = 64 * 1024;

interface ExpectedBody {
  path: string;
  origin: string;
  length: number;
  signal?: AbortSignal;
  /** Called after the last byte; rejects where the bytes were not the expected version's. */
  confirm?: () => Promise<void>;
}

/**
 * The body of a GET. It ends without an error only after exactly `length` bytes. One answer is one version of the
 * object: S3 replaces objects as a whole, and a running read continues with the old one.
 */
export async function* boundedBody(
  body: AsyncIterable<Buffer>,
  { path, origin, length, signal, confirm }: ExpectedBody,
): AsyncGenerator<Buffer, void, undefined> {
  let received = 0;
  try {
    for await (const chunk of body) {
      received += chunk.length;
      if (received > length) break;
      yield chunk;
    }
  } catch (error) {
    if (signal?.aborted) throw abortedError(path);
    throw networkError(path, origin, error, true);
  }
  if (signal?.aborted) throw abortedError(path);
  if (received === length) return await confirm?.();
  const sentence = `The object ended after ${received} of ${length} bytes: ${path}.`;
  throw new UfsError('Truncated', path, sentence);
}

export async function* emptyBody(): AsyncGenerator<Buffer, void, undefined> {
  // Nothing to yield: the range lies at the object's end.
}

export async function readErrorBody(body: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of body) {
      chunks.push(chunk);
      if ((bytes += chunk.length) > errorBodyBytes) break;
    }
  } catch {
    // The status is enough for an error; the body would only add detail.
  }
  return Buffer.concat(chunks);
}
