import { UfsError } from '../types.js';
import { abortedError, networkError } from './s3-errors.js';

/**
 * The body of a GET, which ends without an error only after exactly `length` bytes. One answer is one version of the
 * object: S3 replaces objects as a whole, and a read that has begun goes on with the old one.
 */
export async function* boundedBody(
  body: AsyncIterable<Buffer>,
  path: string,
  origin: string,
  length: number,
  signal: AbortSignal | undefined,
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
  if (received === length) return;
  const sentence = `The object ended after ${received} of ${length} bytes: ${path}.`;
  throw new UfsError('Truncated', path, sentence);
}

export async function* emptyBody(): AsyncGenerator<Buffer, void, undefined> {
  // Nothing to yield: the range lies at the object's end.
}
