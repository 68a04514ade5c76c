import { setImmediate as nextTurn } from 'node:timers/promises';
import { TIERS, type ActivePolicies, type Tier } from './active-policies.js';
import { jobTag, type StoredEntry } from './entry-codec.js';
import { type CacheIndex } from './cache-index.js';
import { storedBytes, type Storage } from './storage.js';

/** Rows read at a time: few, as a victim is mostly near; more and more when it is not. */
const FIRST_LOOK = 32;
const LAST_LOOK = 1024;
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
    const start = Math.max(this.belowOf(tier), this.ownBelow.get(ownKey(tier, jobId)) ?? 0);
    const walk = new Walk(tier, start);
    try {
      for (let limit = FIRST_LOOK; ; limit = Math.min(2 * limit, LAST_LOOK)) {
        const rows = this.index.evictionRows(walk.from, limit);
        for (const { tick, path, jobTag: tag } of rows) {
          const actual = this.policies.tierOf(path);
          if (actual !== tier || tag === ownTag) {
            walk.pass(tick, actual, actual === tier ? 'own' : 'gone');
            continue;
          }
          const stored = this.index.get(path);
          const isBeingRead = stored !== undefined && this.storage.isBeingRead(stored);
          if (stored?.tick === tick && !isBeingRead) yield stored;
          walk.pass(tick, tier, isBeingRead ? 'read' : 'gone');
        }
        if (rows.length < limit) return;
        await nextTurn();
      }
    } finally {
      // Also when no more is asked for: the last one yielded was not passed then.
      if (this.generation === this.policies.generation) {
        for (const each of TIERS) this.below.set(each, walk.below(each, this.belowOf(each)));
        if (jobId !== undefined) this.remember(ownKey(tier, jobId), walk.othersBelow);
      }
    }
  }

  private belowOf(tier: Tier): number {
    return this.below.get(tier) ?? 0;
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

function ownKey(tier: Tier, jobId: string | undefined): string {
  return `${tier}:${jobId}`;
}

/** What a walk along the order for one tier's entries has found out, about the other tiers too. */
class Walk {
  from: number;
  /** The first entry met of each tier that stays. */
  private readonly first = new Map<Tier, number>();
  private firstRead: number | undefined;

  constructor(
    private readonly tier: Tier,
    private readonly start: number,
  ) {
    this.from = start;
  }

  /** `gone`: an entry of the tier walked for that is taken; of another tier, just any. */
  pass(tick: number, tier: Tier, as: 'gone' | 'own' | 'read'): void {
    this.from = tick + 1;
    if (as === 'read') this.firstRead ??= tick;
    if ((tier !== this.tier || as !== 'gone') && !this.first.has(tier)) this.first.set(tier, tick);
  }

  /** The tick below which there is no entry of a tier, if before the walk there was none below `known`. */
  below(tier: Tier, known: number): number {
    if (this.start > known) return known;
    return Math.max(known, this.first.get(tier) ?? this.from);
  }

  /** The tick below which the tier has only entries of the job that the walk is for. */
  get othersBelow(): number {
    return this.firstRead ?? this.from;
  }
}
