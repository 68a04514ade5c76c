import { setImmediate } from 'node:timers/promises';
import type { CacheEntry } from '#cache-store';
import type { FileFailure, WorkBatch } from '#contexts/jobs';
import { normalizeUfsPath } from '#contexts/namespace';
import { DomainError } from '#kernel';
import type { BatchOutcome, WorkerJobKind, WorkerPorts } from '../../kind.js';
import { cutReason, describeFault } from '../../load/worker/batch-file.js';
import { freeBatchOptionsSchema, type FreeBatchOptions } from './options.js';
import { targetsOf } from './targets.js';

/** No group is larger, whatever `batchSize` says: stopping must not wait for long. */
const maxGroup = 1000;

/** Removes the copies that this worker holds of the given paths. What is read at the moment stays whole for its reader. */
export const freeWorkerKind: WorkerJobKind = {
  name: 'free',
  async execute(batch: WorkBatch, ports: WorkerPorts): Promise<BatchOutcome> {
    if (batch.pass !== 'load') throw new DomainError('Bug', 'foreign-pass', `a free job has no pass ${batch.pass}`);
    const options = freeBatchOptionsSchema.parse(batch.options);
    const { ring } = await ports.members();
    // Copies count as files where one worker alone says so of a file.
    const countsAsFile = ({ path, replicas }: CacheEntry) => replicas <= 1 || ring.owners(path)[0] === ports.workerId;
    const tally = new FreeTally(countsAsFile);
    for (const [name] of batch.files) await free(batch.root + name, options, tally, ports);
    return tally.outcome();
  },
  failAll(batch: WorkBatch, reason: string): BatchOutcome {
    const failures = batch.files.map(([name]) => ({ path: batch.root + name, reason: cutReason(reason), attempts: 0 }));
    return { counts: { abandonedBatches: 1 }, failures };
  },
};

async function free(path: string, options: FreeBatchOptions, tally: FreeTally, ports: WorkerPorts): Promise<void> {
  let group: CacheEntry[] = [];
  const size = Math.min(options.batchSize, maxGroup);
  for (const entry of targetsOf(ports.cache, normalizeUfsPath(path), options.recursive)) {
    if (entry) group.push(entry);
    else await setImmediate();
    if (group.length >= size) {
      await removeGroup(group, tally, ports);
      group = [];
    }
    ports.signal.throwIfAborted();
  }
  await removeGroup(group, tally, ports);
}

/** Removed together, the copies share one transaction of the index. */
async function removeGroup(group: readonly CacheEntry[], tally: FreeTally, ports: WorkerPorts): Promise<void> {
  ports.signal.throwIfAborted();
  const results = await Promise.allSettled(group.map(({ path }) => ports.cache.delete(path)));
  results.forEach((result, i) => {
    if (result.status === 'rejected') tally.failed(group[i], result.reason);
    // Otherwise it was evicted or has expired a moment ago.
    else if (result.value) tally.freed(group[i]);
  });
  const removed = group.filter((_entry, i) => results[i].status === 'fulfilled');
  ports.onProgress(
    removed.length,
    removed.reduce((bytes, entry) => bytes + bytesOf(entry), 0),
  );
}

class FreeTally {
  private readonly counts = { freedFiles: 0, freedReplicas: 0, freedBytes: 0, failedFiles: 0, failedBytes: 0 };
  private readonly failures: FileFailure[] = [];

  constructor(private readonly countsAsFile: (entry: CacheEntry) => boolean) {}

  freed(entry: CacheEntry): void {
    if (this.countsAsFile(entry)) this.counts.freedFiles++;
    else this.counts.freedReplicas++;
    this.counts.freedBytes += bytesOf(entry);
  }

  /** @throws the error itself when no file can be blamed for it */
  failed(entry: CacheEntry, error: unknown): void {
    const known = describeFault(error);
    if (!known) throw error;
    this.counts.failedFiles++;
    this.counts.failedBytes += bytesOf(entry);
    this.failures.push({ path: entry.path, reason: cutReason(known.message), attempts: 1 });
  }

  outcome(): BatchOutcome {
    return { counts: this.counts, failures: this.failures };
  }
}

/** Bytes that the copy takes in the cache. */
function bytesOf({ sizeBytes, metadataOnly }: CacheEntry): number {
  return metadataOnly ? 0 : sizeBytes;
}
