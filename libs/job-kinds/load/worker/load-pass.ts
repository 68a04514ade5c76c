import { claimOf, type CacheEntry } from '#cache-store';
import type { WorkBatch } from '#contexts/jobs';
import type { BatchOutcome, WorkerPorts } from '../../kind.js';
import { forEachFile, type BatchFile, type FileOutcome, type KnownVersion } from './batch-file.js';
import { fetchFile } from './fetch-file.js';
import type { LoadBatchOptions } from './options.js';
import { retrying } from './retrying.js';

type LoadOutcome = FileOutcome<'loaded' | 'skipped'>;

/** Loads the batch's files. `loadedFiles + skippedFiles + failedFiles` is the number of files in the batch. */
export async function loadPass(batch: WorkBatch, options: LoadBatchOptions, ports: WorkerPorts): Promise<BatchOutcome> {
  const loadOne = options.loadMetadataOnly ? loadMetadata : loadBytes;
  return tallyLoad(await forEachFile(batch, options, ports, (file) => loadOne(batch.jobId, file, options, ports)));
}

async function loadBytes(
  jobId: string,
  file: BatchFile,
  { skipIfExists }: LoadBatchOptions,
  ports: WorkerPorts,
): Promise<LoadOutcome> {
  const cached = ports.cache.get(file.path);
  if (cached && !cached.metadataOnly) {
    if (loadedBefore(jobId, cached, file.listed)) return outcome('loaded', cached.sizeBytes);
    if (skipIfExists && (await keepCurrent(jobId, cached, file, ports))) return outcome('skipped', cached.sizeBytes);
  }
  const entry = await fetchFile(jobId, file, ports);
  return outcome('loaded', entry.sizeBytes);
}

async function loadMetadata(
  jobId: string,
  file: BatchFile,
  { skipIfExists }: LoadBatchOptions,
  ports: WorkerPorts,
): Promise<LoadOutcome> {
  const { path, replicas } = file;
  const cached = ports.cache.get(path);
  if (cached && loadedBefore(jobId, cached, file.listed)) return outcome('loaded', cached.sizeBytes, 0);
  const current = await currentVersion(file, ports);
  if (cached && !cached.metadataOnly && sameVersion(cached, current)) {
    return skipIfExists ? outcome('skipped', cached.sizeBytes) : outcome('loaded', cached.sizeBytes, 0);
  }
  ports.signal.throwIfAborted();
  await retrying(ports, () =>
    ports.cache.putMetadata({ path, version: current.version, jobId, replicas }, current.sizeBytes),
  );
  return outcome('loaded', current.sizeBytes, 0);
}

/** Whether the copy is the UFS's version; then it stays for this job's sake: nothing else of it is to push it out. */
async function keepCurrent(jobId: string, cached: CacheEntry, file: BatchFile, ports: WorkerPorts): Promise<boolean> {
  const current = await currentVersion(file, ports);
  return sameVersion(cached, current) && ports.cache.keep({ path: file.path, jobId, ...current });
}

/**
 * A batch that is delivered again finds what its first run has put here, and counts it as it did then. An unlisted
 * version is whichever one this job has read.
 */
function loadedBefore(jobId: string, cached: CacheEntry, listed: KnownVersion | undefined): boolean {
  const claim = claimOf(cached, jobId);
  return claim !== undefined && !claim.kept && (listed === undefined || sameVersion(cached, listed));
}

export function sameVersion(cached: CacheEntry, known: KnownVersion): boolean {
  return cached.version === known.version && cached.sizeBytes === known.sizeBytes;
}

export async function currentVersion(
  file: Pick<BatchFile, 'path' | 'listed'>,
  ports: WorkerPorts,
): Promise<KnownVersion> {
  if (file.listed) return file.listed;
  return retrying(ports, () => ports.connectorFor(file.path).stat(file.path, ports.signal));
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
