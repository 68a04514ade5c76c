import type { CacheWriter } from '#cache-store';
import type { WorkerPorts } from '#contexts/jobs/kinds';
import { RetriesExhausted, type UfsError, withRetries, type UfsConnector } from '#ufs';
import type { KnownVersion } from './batch-file.js';
import { isUfsError } from './retrying.js';

/** Large enough for the time to the first byte to be a small share, small enough for several to be kept in memory. */
export const partBytes = 8 * 1024 * 1024;

/** Parts of one object that are under way at once, or wait for a slot. */
const lanesAtMost = 64;

/** The part of a worker's ports that reading in parts needs. */
export type PartPorts = Pick<WorkerPorts, 'withPartSlot' | 'throttle' | 'retry' | 'signal' | 'onProgress'>;

export interface PartedObject {
  readonly jobId: string;
  readonly path: string;
  readonly known: KnownVersion;
  readonly connector: Pick<UfsConnector, 'read'>;
}

/** The object was replaced while its parts were read. Not a `UfsError`, so that no retry repeats the question. */
class ReplacedMeanwhile extends Error {
  constructor(override readonly cause: UfsError) {
    super(cause.message, { cause });
  }
}

/**
 * Copies one object in parts, several at once, since a store often limits the rate of each connection. Every part is asked
 * for with the object's version, and tried again by itself: the parts that have come are kept.
 *
 * @returns false when the store ignores ranges: read the object as a stream then. Nothing was written.
 * @throws UfsError `Changed` when the object is not of the version any more; RetriesExhausted with the error of the part
 *   that failed for good; what the writer throws
 */
export async function copyParts(object: PartedObject, writer: CacheWriter, ports: PartPorts): Promise<boolean> {
  const { known } = object;
  const count = Math.ceil(known.sizeBytes / partBytes);
  const failed = new AbortController();
  const signal = AbortSignal.any([ports.signal, failed.signal]);
  let next = 0;
  const lane = async () => {
    while (next < count && !signal.aborted) await copyPart(object, next++, writer, { ...ports, signal });
  };
  const guarded = () =>
    lane().catch((error: unknown) => {
      // The first error is the reason. The others may follow from it.
      if (!failed.signal.aborted) failed.abort(error);
    });
  // The first part alone shows whether the store takes ranges, and whether the object is still there.
  try {
    await copyPart(object, next++, writer, { ...ports, signal });
  } catch (error) {
    if (error instanceof RetriesExhausted && isUfsError(error.cause, 'TooLarge')) return false;
    throw unwrapped(error);
  }
  await Promise.all(Array.from({ length: Math.min(count, lanesAtMost) }, guarded));
  ports.signal.throwIfAborted();
  if (failed.signal.aborted) throw unwrapped(failed.signal.reason);
  return true;
}

async function copyPart(
  { jobId, path, known, connector }: PartedObject,
  index: number,
  writer: CacheWriter,
  { withPartSlot, throttle, retry, signal, onProgress }: PartPorts,
): Promise<void> {
  const start = index * partBytes;
  const end = Math.min(start + partBytes, known.sizeBytes) - 1;
  await throttle(jobId, end + 1 - start, signal);
  const options = { expectedVersion: known.version, knownSizeBytes: known.sizeBytes, maxBytes: partBytes };
  const read = () =>
    withPartSlot(signal, async () => {
      const { bytes } = await connector.read(path, { ...options, start, end, signal });
      // The slot bounds the memory of parts too, so it is held until the bytes are written.
      await writer.writePart(start, bytes);
      onProgress(0, bytes.length);
    });
  const attempt = async () => {
    try {
      await read();
    } catch (error) {
      throw isUfsError(error, 'Changed') ? new ReplacedMeanwhile(error as UfsError) : error;
    }
  };
  await withRetries(retry, attempt, { signal });
}

function unwrapped(error: unknown): unknown {
  return error instanceof ReplacedMeanwhile ? error.cause : error;
}
