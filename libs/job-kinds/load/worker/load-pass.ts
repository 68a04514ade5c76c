import { claimOf, type CacheEntry } from '#cache-store';
import type { WorkBatch } from '#contexts/jobs';
import type { BatchOutcome, WorkerPorts } from '#contexts/jobs/kinds';
import {
  currentVersion,
  fetchFile,
  forEachFile,
  newerVersion,
  retrying,
  type BatchFile,
  type FileOutcome,
} from '#transfer';
import type { LoadBatchOptions } from './options.js';

type LoadOutcome = FileOutcome<'loaded' | 'skipped'>;

/** Loads the batch's files. `loadedFiles + skippedFiles + failedFiles` is the number of files in the batch. */
export async function loadPass(batch: WorkBatch, options: LoadBatchOptions, ports: WorkerPorts): Promise<BatchOutcome> {
  const loadOne = options.loadMetadataOnly ? loadMetadata : loadBytes;
  return tallyLoad(await forEachFile(batch, options, ports, (file, own) => loadOne(batch.jobId, file, options, own)));
}

async function loadBytes(
  jobId: string,
  file: BatchFile,
  { skipIfExists }: LoadBatchOptions,
  ports: WorkerPorts,
): Promise<LoadOutcome> {
  const cached = ports.cache.get(file.path);
  let known = file.listed;
  if (cached && !cached.metadataOnly) {
    const own = isPutBy(jobId, cached);
    if (own || skipIfExists) {
      const newer = await newerFor(own, cached, file, ports);
      if (own && newer === undefined) return outcome('loaded', cached.sizeBytes);
      if (newer === undefined && (await keep(jobId, cached, ports))) return outcome('skipped', cached.sizeBytes);
      known = newer ?? known;
    }
  }
  const entry = await fetchFile(jobId, { ...file, listed: known }, ports);
  return outcome('loaded', entry.sizeBytes);
}

async function loadMetadata(
  jobId: string,
  file: BatchFile,
  { skipIfExists }: LoadBatchOptions,
  ports: WorkerPorts,
): Promise<LoadOutcome> {
  const { path, replicas } = file;
  const store = ports.storeOf(path);
  const cached = ports.cache.get(path);
  const own = cached !== undefined && isPutBy(jobId, cached);
  const newer = cached && (await newerFor(own, cached, file, ports));
  if (cached && newer === undefined) {
    if (own) return outcome('loaded', cached.sizeBytes, 0);
    if (!cached.metadataOnly) {
      return skipIfExists ? outcome('skipped', cached.sizeBytes) : outcome('loaded', cached.sizeBytes, 0);
    }
  }
  const { version, sizeBytes } = newer ?? (await currentVersion(file, ports));
  ports.signal.throwIfAborted();
  await retrying(ports, () => ports.cache.putMetadata({ path, store, version, jobId, replicas }, sizeBytes));
  return outcome('loaded', sizeBytes, 0);
}

/** Keeps a copy that was found current for this job: other files of the job must not push it out. */
function keep(jobId: string, { path, version, sizeBytes }: CacheEntry, ports: WorkerPorts): Promise<boolean> {
  return ports.cache.keep({ path, jobId, version, sizeBytes });
}

/** A batch that is delivered again finds what its first run put here, and counts it as that run did. */
function isPutBy(jobId: string, cached: CacheEntry): boolean {
  const claim = claimOf(cached, jobId);
  return claim !== undefined && !claim.kept;
}

/** For an unlisted file, any version that this job has read is the right one. */
async function newerFor(own: boolean, cached: CacheEntry, file: BatchFile, ports: WorkerPorts) {
  return own && file.listed === undefined ? undefined : newerVersion(cached, file, ports);
}

function outcome(kind: 'loaded' | 'skipped', sizeBytes: number, movedBytes: number = sizeBytes): LoadOutcome {
  return { kind, sizeBytes, movedBytes };
}

export function tallyLoad(outcomes: readonly LoadOutcome[]): BatchOutcome {
  const counts = {
    loadedFiles: 0,
    loadedNonEmptyFiles: 0,
    loadedBytes: 0,
    skippedFiles: 0,
    skippedBytes: 0,
    failedFiles: 0,
    failedBytes: 0,
  };
  for (const one of outcomes) {
    switch (one.kind) {
      case 'loaded':
        counts.loadedFiles++;
        counts.loadedBytes += one.movedBytes;
        if (one.sizeBytes > 0) counts.loadedNonEmptyFiles++;
        break;
      case 'skipped':
        counts.skippedFiles++;
        counts.skippedBytes += one.movedBytes;
        break;
      case 'failed':
        counts.failedFiles++;
        counts.failedBytes += one.sizeBytes;
        break;
    }
  }
  return { counts, failures: outcomes.flatMap((one) => (one.kind === 'failed' ? [one.failure] : [])) };
}
