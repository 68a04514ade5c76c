import { setImmediate as nextTurn } from 'node:timers/promises';
import { jobTag, type StoredEntry } from './entry-codec.js';
import { type CacheIndex } from './cache-index.js';
import { storedBytes, type Storage } from './storage.js';

const ROWS_PER_LOOK = 256;
/** Tiers in the order in which they are evicted. There is one until entries have priorities. */
const TIERS = [0];
const MAX_REMEMBERED_JOBS = 256;

/** Chooses what to evict: tier by tier, least recently used first, never what the asking job itself has loaded. */
export class EvictionOrder {
  /**
   * Per tier and job, the tick below which only that job's own entries are left. Ticks only grow (an access or a new
   * copy gets a new one), so this stays true, and a job whose files fill the cache does not walk over them every time.
   */
  private readonly ownBelow = new Map<string, number>();

  constructor(
    private readonly index: CacheIndex,
    private readonly storage: Storage,
  ) {}

  /** Entries worth at least `wantedBytes` on disk, or all that may be evicted for `jobId`, at most `limit`. */
  async pick(jobId: string | undefined, wantedBytes: number, limit: number): Promise<StoredEntry[]> {
    const victims: StoredEntry[] = [];
    let bytes = 0;
    for (const tier of TIERS) {
      for await (const stored of this.candidates(tier, jobId)) {
        victims.push(stored);
        bytes += storedBytes(stored);
        if (bytes >= wantedBytes || victims.length >= limit) return victims;
      }
    }
    return victims;
  }

  /** What was picked is still there after all (the index could not be written): look at everything again. */
  forget(): void {
    this.ownBelow.clear();
  }

  private async *candidates(tier: number, jobId: string | undefined): AsyncIterable<StoredEntry> {
    const ownTag = jobId === undefined ? undefined : jobTag(jobId);
    const job = `${tier}:${jobId}`;
    let from = this.ownBelow.get(job) ?? 0;
    let nothingKept = true;
    for (;;) {
      const rows = this.index.evictionRows(tier, from, ROWS_PER_LOOK);
      for (const row of rows) {
        from = row.tick + 1;
        const own = row.jobTag === ownTag;
        const stored = own ? undefined : this.index.get(row.path);
        if (stored && this.storage.isBeingRead(stored)) nothingKept = false;
        else if (stored?.tick === row.tick) yield stored;
        if (ownTag !== undefined && nothingKept) this.remember(job, from);
      }
      if (rows.length < ROWS_PER_LOOK) return;
      await nextTurn();
    }
  }

  private remember(job: string, tick: number): void {
    // Delete first: a Map keeps insertion order, so the first key is the job that asked longest ago.
    this.ownBelow.delete(job);
    this.ownBelow.set(job, tick);
    if (this.ownBelow.size > MAX_REMEMBERED_JOBS) {
      const [oldest] = this.ownBelow.keys();
      if (oldest !== undefined) this.ownBelow.delete(oldest);
    }
  }
}
