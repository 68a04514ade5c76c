import type { CacheEntry } from '#cache-store';
import type { Counts } from '#contexts/jobs';
import type { BatchOutcome, ClusterMembers, WorkerPorts } from '#contexts/jobs/kinds';
import { FileError, RemovalTally, retrying, transferringFrom } from '#transfer';
import { isSameCopy } from '#ufs';
import type { PeerClient } from './peer-client.js';

const pageSize = 1000;

/**
 * Removes the copies that the ring no longer gives to this worker, but only those for which every owner vouches with
 * the same version: each file always has a copy. Two workers cannot both remove theirs because of the other's: a worker
 * that vouches is an owner by a ring at least as new as ours, and our copy is removed only while our ring is still that
 * one.
 */
export async function prunePass(jobId: string, peers: PeerClient, ports: WorkerPorts): Promise<BatchOutcome> {
  const tally = await RemovalTally.open(ports, { filesPruned: 0, bytesPruned: 0 });
  const kept = { filesPreserved: 0, bytesPreserved: 0 };
  for (let after: string | undefined; ;) {
    ports.signal.throwIfAborted();
    const members = await ports.members();
    const page = [...ports.cache.entries('', { limit: pageSize, ...(after !== undefined && { after }) })];
    if (page.length === 0) return { counts: { ...tally.counts, ...kept, passesDone: 1 }, failures: [] };
    after = page.at(-1)?.path;
    const strays = page.filter((entry) => !members.ring.owners(entry.path, entry.replicas).includes(ports.workerId));
    const confirmed = await confirmedByOwners(strays, members, peers, ports);
    await tally.intend(
      strays.flatMap((entry) => (confirmed.has(entry.path) ? [[entry.path, worthOf(entry)] as const] : [])),
    );
    // Together, so that removals share transactions of the index.
    const pruned = await Promise.allSettled(
      strays.map(async (entry) => confirmed.has(entry.path) && (await prune(jobId, entry, members, ports))),
    );
    strays.forEach((entry, i) => {
      const result = pruned[i];
      // Earlier removals are in the checkpoint, and will be counted when the batch continues.
      if (result.status === 'rejected') throw result.reason;
      if (result.value) tally.add(worthOf(entry));
      else if (!entry.metadataOnly) {
        kept.filesPreserved++;
        kept.bytesPreserved += entry.sizeBytes;
      }
    });
  }
}

function worthOf({ metadataOnly, sizeBytes }: CacheEntry): Counts {
  return metadataOnly ? {} : { filesPruned: 1, bytesPruned: sizeBytes };
}

async function prune(jobId: string, entry: CacheEntry, members: ClusterMembers, ports: WorkerPorts): Promise<boolean> {
  const { path, sizeBytes, metadataOnly } = entry;
  if (!metadataOnly) await ports.throttle(jobId, sizeBytes, ports.signal);
  ports.signal.throwIfAborted();
  const removed = await ports.removeCopy(path, members.sequence);
  if (removed) ports.onProgress(1, metadataOnly ? 0 : sizeBytes);
  return removed;
}

async function confirmedByOwners(
  strays: readonly CacheEntry[],
  { ring, workers, sequence }: ClusterMembers,
  peers: PeerClient,
  ports: WorkerPorts,
): Promise<Set<string>> {
  const byOwner = new Map<string, CacheEntry[]>();
  const missing = new Map<string, number>();
  for (const entry of strays) {
    const owners = ring.owners(entry.path, entry.replicas);
    // Without owners there is no confirmation. Metadata is no copy of a file and needs none.
    missing.set(entry.path, owners.length > 0 && entry.metadataOnly ? 0 : Math.max(1, owners.length));
    if (entry.metadataOnly) continue;
    for (const owner of owners) byOwner.set(owner, [...(byOwner.get(owner) ?? []), entry]);
  }
  for (const [owner, entries] of byOwner) {
    const vouched = await vouchedBy(workers[owner]?.address, entries, sequence, peers, ports);
    entries.forEach(({ path, sizeBytes, version }, i) => {
      const copy = vouched[i];
      const isSame = copy && isSameCopy({ sizeBytes, version }, { sizeBytes: copy[0], version: copy[1] });
      if (isSame) missing.set(path, (missing.get(path) ?? 1) - 1);
    });
  }
  return new Set([...missing].filter(([, left]) => left === 0).map(([path]) => path));
}

/** An owner that does not answer vouches for nothing. */
async function vouchedBy(
  address: string | undefined,
  entries: readonly CacheEntry[],
  sequence: number,
  peers: PeerClient,
  ports: WorkerPorts,
): Promise<([number, string] | null)[]> {
  if (address === undefined) return [];
  const copies = entries.map(({ path }) => ({ path, store: ports.storeOf(path) }));
  try {
    return await retrying(transferringFrom(address, ports), () => peers.vouched(address, copies, sequence));
  } catch (error) {
    if (error instanceof FileError) return [];
    throw error;
  }
}
