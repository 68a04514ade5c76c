import { setImmediate as nextTurn } from 'node:timers/promises';
import { TIERS, type ActivePolicies, type Tier } from './active-policies.js';
import { jobTag, type StoredEntry } from './entry-codec.js';
import { type CacheIndex } from './cache-index.js';
import { storedBytes, type Storage } from './storage.js';

const ROWS_PER_LOOK = 256;
const MAX_REMEMBERED_JOBS = 3 * 256;

/** On whose behalf something is evicted. */
export interface Claimant {
  jobId?: string;
  /** The highest tier of which entries may go. */
  tier: Tier;
}

/**
 * Chooses what to evict: tier by tier, least recently used first, never what the asking job itself has loaded.
 *
 * All entries are in one order, by access, and which tier an entry is of is asked of the policies, so that new policies
 * need no entry touched. Per tier a cursor keeps how far the order holds none of it any more. Ticks only grow (an access
 * or a new copy gets a new one), so what was passed once need not be looked at again until policies change.
 */
export class EvictionOrder {
  /** Per tier, the tick below which there is no entry of it. */
  private readonly below = new Map<Tier, number>();
  /** Per tier and job, the tick below which of that tier only the job's own entries are left. */
  private readonly ownBelow = new Map<string, number>();
  private generation = 0;

  constructor(
    private readonly index: CacheIndex,
    private readonly storage: Storage,
    private readonly policies: ActivePolicies,
  ) {}

  /**
   * Entries worth at least `wantedBytes` on disk, or all that may be evicted for `claimant`, at most `limit`. All accesses
   * so far have to be in the index: one that comes later with an earlier tick would be overlooked.
   */
  async pick(claimant: Claimant, wantedBytes: number, limit: number): Promise<StoredEntry[]> {
    for (;;) {
      if (this.generation !== this.policies.generation) this.forget();
      this.generation = this.policies.generation;
      const victims = await this.pickOnce(claimant, wantedBytes, limit);
      if (this.generation === this.policies.generation) return victims;
    }
  }

  /** What was picked is still there after all (the index could not be written): look at everything again. */
  forget(): void {
    this.below.clear();
    this.ownBelow.clear();
  }

  private async pickOnce(claimant: Claimant, wantedBytes: number, limit: number): Promise<StoredEntry[]> {
    const victims: StoredEntry[] = [];
    let bytes = 0;
    for (const tier of TIERS) {
      if (tier > claimant.tier) break;
      for await (const stored of this.candidates(tier, claimant.jobId)) {
        victims.push(stored);
        bytes += storedBytes(stored);
        if (bytes >= wantedBytes || victims.length >= limit) return victims;
      }
    }
    return victims;
  }

  private async *candidates(tier: Tier, jobId: string | undefined): AsyncIterable<StoredEntry> {
    const ownTag = jobId === undefined ? undefined : jobTag(jobId);
    const job = `${tier}:${jobId}`;
    let tierBelow = this.below.get(tier) ?? 0;
    let ownBelow = Math.max(tierBelow, this.ownBelow.get(job) ?? 0);
    let from = ownBelow;
    // Each mark stays before the first entry that it has to come back to.
    let tierIsGone = from === tierBelow;
    let othersAreGone = true;
    try {
      for (;;) {
        const rows = this.index.evictionRows(from, ROWS_PER_LOOK);
        for (const row of rows) {
          from = row.tick + 1;
          if (this.policies.tierOf(row.path) === tier) {
            const own = row.jobTag === ownTag;
            const stored = own ? undefined : this.index.get(row.path);
            if (own) {
              tierIsGone = false;
            } else if (stored && this.storage.isBeingRead(stored)) {
              tierIsGone = false;
              othersAreGone = false;
            } else if (stored?.tick === row.tick) {
              yield stored;
            }
          }
          if (tierIsGone) tierBelow = from;
          if (othersAreGone) ownBelow = from;
        }
        if (rows.length < ROWS_PER_LOOK) return;
        await nextTurn();
      }
    } finally {
      // Also when no more is asked for: the last one yielded was not passed then.
      if (this.generation === this.policies.generation) {
        this.below.set(tier, tierBelow);
        if (ownTag !== undefined) this.remember(job, ownBelow);
      }
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
