import { setImmediate } from 'node:timers/promises';
import type { CacheEntry } from '#cache-store';
import { mainPass, type Counts, type FileFailure, type WorkBatch } from '#contexts/jobs';
import {
  executePass,
  type BatchOutcome,
  type CopySource,
  type WorkerJobKind,
  type WorkerPorts,
} from '#contexts/jobs/kinds';
import { normalizeUfsPath } from '#contexts/namespace';
import { cutReason, describeFault, RemovalTally } from '#transfer';
import { freeBatchOptionsSchema, type FreeBatchOptions } from './options.js';
import { targetsOf } from './targets.js';

/** The largest group for any `batchSize`: stopping must not take long. */
const maxGroup = 1000;

/**
 * Removes the copies that this worker holds of the given paths. A copy that is being read stays whole for its reader.
 */
export const freeWorkerKind: WorkerJobKind = {
  name: 'free',
  execute(batch: WorkBatch, ports: WorkerPorts): Promise<BatchOutcome> {
    return executePass(batch, { [mainPass]: () => freeAll(batch, ports) });
  },
  failAll(batch: WorkBatch, reason: string): BatchOutcome {
    const failures = batch.files.map(([name]) => ({ path: batch.root + name, reason: cutReason(reason), attempts: 0 }));
    return { counts: { abandonedBatches: 1 }, failures };
  },
};

async function freeAll(batch: WorkBatch, ports: WorkerPorts): Promise<BatchOutcome> {
  const options = freeBatchOptionsSchema.parse(batch.options);
  const { ring } = await ports.members();
  // One worker alone counts a file with several copies: its first owner.
  const countsAsFile = ({ path, replicas }: CacheEntry) => replicas <= 1 || ring.owners(path)[0] === ports.workerId;
  // Looks in both places: a noted group is of one path, so its copies are of one sort, and a removed copy is in
  // neither.
  const everywhere = { get: (path: string) => ports.cache.get(path) ?? ports.unmounted.get(path) };
  const removals = await RemovalTally.open({ checkpoint: ports.checkpoint, cache: everywhere }, noneFreed);
  const tally = new FreeTally(removals, countsAsFile);
  for (const [name] of batch.files) await free(batch.root + name, options, tally, ports);
  return tally.outcome();
}

/**
 * Frees the copies that a mount covers below a mounted path. Below other paths, or on request, frees those that no
 * mount covers.
 */
async function free(name: string, options: FreeBatchOptions, tally: FreeTally, ports: WorkerPorts): Promise<void> {
  let group: CacheEntry[] = [];
  const size = Math.min(options.batchSize, maxGroup);
  const path = normalizeUfsPath(name);
  const isMounted = ports.storeOf(path) !== undefined;
  const source = isMounted && !options.unmounted ? ports.cache : ports.unmounted;
  for (const entry of targetsOf(source, path, options.recursive)) {
    if (entry) group.push(entry);
    else await setImmediate();
    if (group.length >= size) {
      await removeGroup(group, source, tally, ports);
      group = [];
    }
    ports.signal.throwIfAborted();
  }
  await removeGroup(group, source, tally, ports);
}

/** Removed together, the copies share one transaction of the index. */
async function removeGroup(
  group: readonly CacheEntry[],
  source: CopySource,
  tally: FreeTally,
  ports: WorkerPorts,
): Promise<void> {
  ports.signal.throwIfAborted();
  await tally.intend(group);
  const results = await Promise.allSettled(group.map(({ path }) => source.delete(path)));
  results.forEach((result, i) => {
    if (result.status === 'rejected') tally.failed(group[i], result.reason);
    // Otherwise it was evicted or expired a moment ago.
    else if (result.value) tally.freed(group[i]);
  });
  const removed = group.filter((_entry, i) => results[i].status === 'fulfilled');
  ports.onProgress(
    removed.length,
    removed.reduce((bytes, entry) => bytes + bytesOf(entry), 0),
  );
}

const noneFreed = { freedFiles: 0, freedReplicas: 0, freedBytes: 0 };

class FreeTally {
  /** Not in the checkpoint: copies that could not be removed are found, and tried, again. */
  private readonly failedCounts = { failedFiles: 0, failedBytes: 0 };
  private readonly failures: FileFailure[] = [];

  constructor(
    private readonly removals: RemovalTally,
    private readonly countsAsFile: (entry: CacheEntry) => boolean,
  ) {}

  intend(group: readonly CacheEntry[]): Promise<void> {
    return this.removals.intend(group.map((entry) => [entry.path, this.worth(entry)]));
  }

  freed(entry: CacheEntry): void {
    this.removals.add(this.worth(entry));
  }

  /** @throws the error itself when it is not the fault of one file */
  failed(entry: CacheEntry, error: unknown): void {
    const known = describeFault(error);
    if (!known) throw error;
    this.failedCounts.failedFiles++;
    this.failedCounts.failedBytes += bytesOf(entry);
    this.failures.push({ path: entry.path, reason: cutReason(known.message), attempts: 1 });
  }

  outcome(): BatchOutcome {
    return { counts: { ...this.removals.counts, ...this.failedCounts }, failures: this.failures };
  }

  private worth(entry: CacheEntry): Counts {
    const freedBytes = bytesOf(entry);
    return this.countsAsFile(entry) ? { freedFiles: 1, freedBytes } : { freedReplicas: 1, freedBytes };
  }
}

/** Bytes that the copy takes in the cache. */
function bytesOf({ sizeBytes, metadataOnly }: CacheEntry): number {
  return metadataOnly ? 0 : sizeBytes;
}
