import { setImmediate } from 'node:timers/promises';
import type { FileFailure } from '#contexts/jobs';
import type { BatchOutcome, ClusterMembers, WorkerPorts } from '#contexts/jobs/kinds';
import type { Worker } from '#contexts/membership';
import {
  cutReason,
  describeFault,
  fetchFile,
  isUfsError,
  retrying,
  transferringFrom,
  type KnownVersion,
} from '#transfer';
import { isSameCopy, isSameVersion } from '#ufs';
import type { PeerClient, PeerEntry } from './peer-client.js';

/** The most entries that a peer gives in one answer. */
const maxPage = 1000;

/**
 * Fetches what the ring gives to this worker and others hold: from these, or from the UFS where they no longer can give
 * it.
 */
export function loadPass(
  jobId: string,
  batchSize: number,
  peers: PeerClient,
  ports: WorkerPorts,
): Promise<BatchOutcome> {
  return new LoadPass(jobId, Math.min(batchSize, maxPage), peers, ports).run();
}

class LoadPass {
  /** By path: another peer may still have what the first could not give. */
  private readonly failures = new Map<string, FileFailure>();
  private filesFromUfs = 0;
  private members!: ClusterMembers;

  constructor(
    private readonly jobId: string,
    private readonly pageSize: number,
    private readonly peers: PeerClient,
    private readonly ports: WorkerPorts,
  ) {}

  async run(): Promise<BatchOutcome> {
    this.members = await this.ports.members();
    for (const peer of this.others()) await this.loadFrom(peer);
    return this.outcome();
  }

  /** All workers that may hold something: also those off the ring, which serve their copies as long as they run. */
  private others(): Worker[] {
    const { workers } = this.members;
    const { workerId } = this.ports;
    const own = workers[workerId]?.address;
    return Object.values(workers).filter((worker) => worker.workerId !== workerId && worker.address !== own);
  }

  private async loadFrom(peer: Worker): Promise<void> {
    let after: string | undefined;
    do {
      const page = await this.pageOf(peer, after);
      if (!page) return;
      await settleAll(page.entries.map((entry) => this.loadOne(peer, entry)));
      this.ports.signal.throwIfAborted();
      after = page.next;
    } while (after !== undefined);
  }

  /** Undefined for a peer that does not answer. An online peer then fails, as its copies cannot be known. */
  private async pageOf(peer: Worker, after: string | undefined) {
    const { address, status, workerId } = peer;
    const { sequence } = this.members;
    const ask = { owner: this.ports.workerId, membership: sequence, limit: this.pageSize, after };
    try {
      if (status !== 'online') return await this.peers.entries(address, ask);
      return await retrying(transferringFrom(address, this.ports), () => this.peers.entries(address, ask));
    } catch (error) {
      this.ports.signal.throwIfAborted();
      if (status !== 'online' && isUfsError(error, 'Unavailable')) return undefined;
      this.fail(`worker ${workerId}`, error);
      return undefined;
    }
  }

  private async loadOne(peer: Worker, entry: PeerEntry): Promise<void> {
    const { path } = entry;
    try {
      this.ports.signal.throwIfAborted();
      // A copy of another store than the mounted one is not served and does not move. A peer may not know the mount
      // yet.
      if (entry.store !== undefined && entry.store === this.ports.storeOf(path)) await this.bring(peer, entry);
      this.failures.delete(path);
    } catch (error) {
      this.ports.signal.throwIfAborted();
      this.fail(path, error);
    } finally {
      this.ports.onProgress(1, 0);
    }
  }

  private async bring(peer: Worker, entry: PeerEntry): Promise<void> {
    const { path, store, version, sizeBytes, replicas, loadedAtMs } = entry;
    const { cache } = this.ports;
    const own = cache.get(path);
    if (entry.metadataOnly) {
      if (!own) await cache.putMetadata({ path, store, version, jobId: this.jobId, replicas, loadedAtMs }, sizeBytes);
      return;
    }
    if (!own || own.metadataOnly) return this.fetch(peer, entry);
    if (isSameCopy(own, entry)) return;
    // There are two versions, and only the UFS knows which is newer.
    const current = await this.currentVersion(path);
    if (!current || isSameVersion(own, current)) return;
    if (isSameVersion(entry, current)) return this.fetch(peer, entry);
    await this.fetchFromUfs(entry, current);
  }

  private async fetch(peer: Worker, entry: PeerEntry): Promise<void> {
    if (await this.fetchFromPeer(peer, entry)) return;
    for (const other of await this.othersHolding(peer, entry)) if (await this.fetchFromPeer(other, entry)) return;
    await this.fetchFromUfs(entry, entry);
  }

  /** False where the peer can no longer give this version. */
  private async fetchFromPeer(peer: Worker, entry: PeerEntry): Promise<boolean> {
    const { path, store, sizeBytes, version, replicas, loadedAtMs } = entry;
    const source = this.peers.source(peer.address, entry);
    const file = { path, store, replicas, loadedAtMs, listed: { sizeBytes, version } };
    try {
      const ports = transferringFrom(peer.address, this.ports);
      await fetchFile(this.jobId, file, { ...ports, connectorFor: () => source });
      return true;
    } catch (error) {
      this.ports.signal.throwIfAborted();
      const { cause } = error as Error;
      // Not when our own cache is full: then a copy from any source would fail.
      if (isUfsError(cause, 'NotFound') || isUfsError(cause, 'Unavailable') || isUfsError(cause, 'Truncated'))
        return false;
      throw error;
    }
  }

  private async fetchFromUfs({ path, replicas }: PeerEntry, { sizeBytes, version }: KnownVersion): Promise<void> {
    const ports = transferringFrom(path, this.ports);
    await fetchFile(this.jobId, { path, replicas, listed: { sizeBytes, version } }, ports);
    this.filesFromUfs++;
  }

  private async othersHolding(peer: Worker, entry: PeerEntry): Promise<Worker[]> {
    const others = this.others().filter(({ workerId }) => workerId !== peer.workerId);
    const holding = await Promise.all(
      others.map(async ({ address }) => {
        try {
          const [held] = await this.peers.held(address, [entry]);
          return held !== null && held[0] === entry.sizeBytes && held[1] === entry.version;
        } catch (error) {
          if (isUfsError(error, 'Unavailable')) return false;
          throw error;
        }
      }),
    );
    return others.filter((_worker, i) => holding[i]);
  }

  /** Undefined where the UFS no longer has such a file. */
  private async currentVersion(path: string): Promise<KnownVersion | undefined> {
    try {
      const ports = transferringFrom(path, this.ports);
      return await retrying(ports, () => ports.connectorFor(path).stat(path, ports.signal));
    } catch (error) {
      if (isUfsError((error as Error).cause, 'NotFound')) return undefined;
      throw error;
    }
  }

  /** @throws the error itself when the fault is our own */
  private fail(path: string, error: unknown): void {
    const known = describeFault(error);
    if (!known) throw error;
    this.failures.set(path, { path, reason: cutReason(known.message), attempts: known.attempts });
  }

  /** Counts what is here now, so that an interrupted pass that runs again counts the same. */
  private async outcome(): Promise<BatchOutcome> {
    const { ring } = this.members;
    const { cache, workerId, signal } = this.ports;
    const counts = { filesLoaded: 0, bytesLoaded: 0, filesPreserved: 0, bytesPreserved: 0 };
    let examined = 0;
    for (const entry of cache.entries('')) {
      if (++examined % maxPage === 0) {
        await setImmediate();
        signal.throwIfAborted();
      }
      if (entry.metadataOnly || !ring.owners(entry.path, entry.replicas).includes(workerId)) continue;
      const which = entry.jobId === this.jobId ? 'Loaded' : 'Preserved';
      counts[`files${which}`]++;
      counts[`bytes${which}`] += entry.sizeBytes;
    }
    const { filesFromUfs } = this;
    const filesFromPeers = Math.max(0, counts.filesLoaded - filesFromUfs);
    const failures = [...this.failures.values()];
    return {
      counts: { ...counts, filesFromPeers, filesFromUfs, filesFailed: failures.length, passesDone: 1 },
      failures,
    };
  }
}

/** Waits for all, then throws the first error. */
async function settleAll(work: Promise<void>[]): Promise<void> {
  for (const result of await Promise.allSettled(work)) if (result.status === 'rejected') throw result.reason;
}
