import type { CacheWriter } from '#cache-store';
import type { WorkerPorts } from '#contexts/jobs/kinds';
import type { UfsConnector, UfsLocalFile } from '#ufs';
import type { KnownVersion } from './batch-file.js';

/** Between two stretches the copy can be stopped, and tells its progress. */
const stretchBytes = 16 * 1024 * 1024;
/** While one stretch waits for the disk, or for the CPU, another goes on. */
const lanes = 2;

/** The part of a worker's ports that copying needs. */
export type CopyPorts = Pick<WorkerPorts, 'isThrottled' | 'throttle' | 'signal' | 'onProgress'>;

export interface LocalObject {
  readonly jobId: string;
  readonly path: string;
  readonly known: KnownVersion;
  readonly connector: Partial<Pick<UfsConnector, 'openLocal'>>;
}

/**
 * Copies a file of a local file system in threads of the cache.
 *
 * @returns false where the source is no such file, or the job has a bandwidth limit: read a stream then, whose rate is
 *   steady. Nothing was written.
 * @throws UfsError `Changed` when the file is not of the version, or changed on the way; what the writer throws
 */
export async function copyLocal(object: LocalObject, writer: CacheWriter, ports: CopyPorts): Promise<boolean> {
  const { jobId, path, known, connector } = object;
  if (connector.openLocal === undefined || ports.isThrottled(jobId)) return false;
  const file = await connector.openLocal(path, { expectedVersion: known.version, signal: ports.signal });
  if (file === undefined) return false;
  try {
    await copyStretches(file, object, writer, ports);
    await file.confirm();
    return true;
  } finally {
    await file.close();
  }
}

/** Returns or throws only when no thread reads the file any more. */
async function copyStretches(
  file: UfsLocalFile,
  { jobId, known: { sizeBytes } }: LocalObject,
  writer: CacheWriter,
  { throttle, signal, onProgress }: CopyPorts,
): Promise<void> {
  let next = 0;
  let failed = false;
  const lane = async () => {
    while (next < sizeBytes && !failed) {
      const position = next;
      const length = Math.min(stretchBytes, sizeBytes - position);
      next += length;
      await throttle(jobId, length, signal);
      signal.throwIfAborted();
      try {
        await writer.copyPart(position, length, { fd: file.fd, position });
      } catch (error) {
        failed = true;
        throw isOfSource(error) ? file.faultOf(error) : error;
      }
      onProgress(0, length);
    }
  };
  const ends = await Promise.allSettled(Array.from({ length: lanes }, lane));
  signal.throwIfAborted();
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
}

function isOfSource(error: unknown): boolean {
  return error instanceof RangeError || (error as NodeJS.ErrnoException).syscall === 'read';
}
