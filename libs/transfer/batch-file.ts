import { CacheFullError, CopyThreadError, CorruptObjectError, DiskFullError, PathTooLongError } from '#cache-store';
import { maxReasonLength, type FileFailure, type WorkBatch } from '#contexts/jobs';
import { otherStore, type WorkerPorts } from '#contexts/jobs/kinds';
import { normalizeUfsPath } from '#contexts/namespace';
import { DomainError } from '#kernel';
import { UfsError } from '#ufs';

/** Size and UFS version of an object, from a listing, a `stat` or a read. */
export interface KnownVersion {
  sizeBytes: number;
  version: string;
}

/** One file of a batch. `listed` is absent where the job's source does not give it (index files). */
export interface BatchFile {
  path: string;
  listed?: KnownVersion;
  /** The store of the file; default: the store of the mount. */
  store?: string;
  /** Number of distinct workers that should hold a copy; kept with the entry. */
  replicas: number;
  /** For a copy that only moves: when it was loaded from the UFS. */
  loadedAtMs?: number;
}

/** The outcome of one file; each file of a batch has exactly one. */
export type FileOutcome<Kind extends string> = { kind: Kind; sizeBytes: number; movedBytes: number } | FailedOutcome;

export interface FailedOutcome {
  kind: 'failed';
  /** As listed, 0 where the listing does not give it. */
  sizeBytes: number;
  failure: FileFailure;
}

/** A failure of this file alone: it is counted and named, and the batch continues. */
export class FileError extends Error {
  override readonly name = 'FileError';

  /** @param attempts number of attempts; 0 where an attempt could not help */
  constructor(
    message: string,
    readonly attempts: number,
    cause: unknown,
  ) {
    super(message, { cause });
  }
}

export function batchFiles(batch: WorkBatch, replicas = 1): BatchFile[] {
  return batch.files.map(([name, sizeBytes, version]) => {
    const path = batch.root + name;
    return sizeBytes >= 0 && version !== '' ? { path, replicas, listed: { sizeBytes, version } } : { path, replicas };
  });
}

/**
 * Does `work` for all files at once (transfers wait for their slots in `retrying`) and turns each error into a failure
 * of its file. Returns only when all files are done.
 * @param work gets ports whose transfer slots are those of the file's store
 * @throws the signal's reason when aborted, or the first error that is no file's fault
 */
export async function forEachFile<Kind extends string>(
  batch: WorkBatch,
  { replicas }: { replicas: number },
  ports: WorkerPorts,
  work: (file: BatchFile, ports: WorkerPorts) => Promise<FileOutcome<Kind>>,
): Promise<FileOutcome<Kind>[]> {
  const one = async (file: BatchFile): Promise<FileOutcome<Kind>> => {
    try {
      ports.signal.throwIfAborted();
      const moved = otherStore(batch.stores, (path) => ports.storeOf(path));
      if (moved !== undefined) return failed(file, moved, 0);
      const path = normalizeUfsPath(file.path, 'the path');
      return await work({ ...file, path }, transferringFrom(path, ports));
    } catch (error) {
      ports.signal.throwIfAborted();
      const known = describeFault(error);
      if (!known) throw error;
      return failed(file, known.message, known.attempts);
    } finally {
      ports.onProgress(1, 0);
    }
  };
  const settled = await Promise.allSettled(batchFiles(batch, replicas).map(one));
  ports.signal.throwIfAborted();
  return settled.map((result) => {
    if (result.status === 'rejected') throw result.reason;
    return result.value;
  });
}

/** The same ports, with transfer slots counted for this source: the store of a UFS path, or another worker. */
export function transferringFrom<
  Ports extends Pick<WorkerPorts, 'withTransferSlot' | 'withLargeObjectSlot' | 'withPartSlot'>,
>(from: string, ports: Ports): Ports {
  return {
    ...ports,
    withTransferSlot: (signal, run) => ports.withTransferSlot(signal, run, from),
    withLargeObjectSlot: (signal, run) => ports.withLargeObjectSlot(signal, run, from),
    withPartSlot: (signal, run) => ports.withPartSlot(signal, run, from),
  };
}

export function failed(file: Pick<BatchFile, 'path' | 'listed'>, reason: string, attempts: number): FailedOutcome {
  const failure = { path: file.path, reason: cutReason(reason), attempts };
  return { kind: 'failed', sizeBytes: file.listed?.sizeBytes ?? 0, failure };
}

/** Undefined for an error that is no file's fault: a bug. */
export function describeFault(error: unknown): { message: string; attempts: number } | undefined {
  if (error instanceof FileError) return error;
  if (error instanceof DomainError && error.kind !== 'Bug') return { message: error.message, attempts: 0 };
  const reason = fileErrorReason(error);
  return reason === undefined ? undefined : { message: reason, attempts: 0 };
}

const cacheErrors = [CacheFullError, CopyThreadError, DiskFullError, PathTooLongError, CorruptObjectError];

/** One sentence for an error of the UFS, the cache or its disk; undefined for other errors. */
export function fileErrorReason(error: unknown): string | undefined {
  if (error instanceof UfsError)
    return error.code === 'NotFound' ? `the file is gone: ${error.message}` : error.message;
  if (cacheErrors.some((type) => error instanceof type)) return (error as Error).message;
  if (isSystemError(error)) return `the cache's disk failed: ${error.message}`;
  return undefined;
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return typeof error === 'object' && error !== null && 'syscall' in error && 'message' in error;
}

/** At most `maxReasonLength` characters on one line, never half a surrogate pair. */
export function cutReason(reason: string, maxLength: number = maxReasonLength): string {
  const line = reason.replace(/\s+/g, ' ').trim();
  return line.length <= maxLength ? line : `${line.slice(0, maxLength - 1)}…`.toWellFormed();
}
