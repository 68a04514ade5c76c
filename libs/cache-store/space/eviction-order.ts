import { setImmediate as nextTurn } from 'node:timers/promises';
import { TIERS, type ActivePolicies, type Tier } from './active-policies.js';
import { jobTag, type EvictionRow, type StoredEntry } from '../entries/entry-codec.js';
import { type CacheIndex } from '../entries/cache-index.js';
import { type JobKeeps } from './job-keeps.js';
import { storedBytes, type Storage } from './storage.js';

/** Rows read at a time: few, as a victim is mostly near. The number grows when it is not. */
const FIRST_LOOK = 32;
const LAST_LOOK = 1024;
const MAX_REMEMBERED_JOBS = 4 * 256;

/** For what something is evicted. */
export interface Claimant {
  jobId?: string;
  /** The highest tier whose entries may be evicted. */
  tier: Tier;
  /** Whether copies that running jobs count on stay, in any tier. */
  spares: boolean;
}

/** Up to where the order has no victim for a claimant, and the running jobs whose claims were met on the way. */
interface Passed {
  below: number;
  keptFor: Set<string>;
}

/**
 * Chooses what to evict: tier by tier, least recently used first. It never chooses what the asking job itself has
 * loaded, nor what another running job counts on: both will report that these copies are here.
 *
 * All entries are in one order, by access, and the policies give the tier of an entry. So new policies change no entry.
 * A cursor per tier marks up to where the order has no entry of the tier left. Ticks only grow (an access or a new copy
 * gets a new one), so a passed part is not read again until policies change.
 */
export class EvictionOrder {
  /** Per tier, the tick below which there is no entry of it. */
  private readonly below = new Map<Tier, number>();
  /** Per tier and job: below this tick the tier has only entries that stay for the job, or for others. */
  private readonly ownBelow = new Map<string, Passed>();
  private generation = 0;
  private keepsGeneration = 0;

  constructor(
    private readonly index: CacheIndex,
    private readonly storage: Storage,
    private readonly policies: ActivePolicies,
    private readonly keeps: JobKeeps,
  ) {}

  /**
   * Entries worth at least `wantedBytes` on disk, or all that may be evicted for `claimant`, at most `limit`. All
   * accesses so far must be in the index: a later one with an earlier tick would be overlooked.
   */
  async pick(claimant: Claimant, wantedBytes: number, limit: number): Promise<StoredEntry[]> {
    for (;;) {
      if (this.generation !== this.policies.generation) this.forget();
      this.generation = this.policies.generation;
      if (this.keepsGeneration !== this.keeps.generation) this.ownBelow.clear();
      this.keepsGeneration = this.keeps.generation;
      const victims = await this.pickOnce(claimant, wantedBytes, limit);
      if (this.generation === this.policies.generation) return victims;
    }
  }

  /** The other running jobs whose entries were passed over, although this claimant could evict them otherwise. */
  keptForOthers({ jobId, tier, spares }: Claimant): string[] {
    const met = new Set<string>();
    for (const each of spares ? TIERS : []) {
      if (each > tier) break;
      for (const other of this.ownBelow.get(ownKey(each, jobId))?.keptFor ?? []) met.add(other);
    }
    met.delete(jobId ?? '');
    return [...met].filter((other) => this.keeps.has(other));
  }

  /** The chosen entries are still there (the index could not be written): read everything again. */
  forget(): void {
    this.below.clear();
    this.ownBelow.clear();
  }

  private async pickOnce(claimant: Claimant, wantedBytes: number, limit: number): Promise<StoredEntry[]> {
    const victims: StoredEntry[] = [];
    let bytes = 0;
    for (const tier of TIERS) {
      if (tier > claimant.tier) break;
      for await (const stored of this.candidates(tier, claimant)) {
        victims.push(stored);
        bytes += storedBytes(stored);
        if (bytes >= wantedBytes || victims.length >= limit) return victims;
      }
    }
    return victims;
  }

  private async *candidates(tier: Tier, claimant: Claimant): AsyncIterable<StoredEntry> {
    const key = ownKey(tier, claimant.jobId);
    const passed = claimant.spares ? this.ownBelow.get(key) : undefined;
    const walk = new Walk(tier, Math.max(this.belowOf(tier), passed?.below ?? 0), new Set(passed?.keptFor));
    try {
      for (let limit = FIRST_LOOK; ; limit = Math.min(2 * limit, LAST_LOOK)) {
        const rows = this.index.evictionRows(walk.from, limit);
        for (const row of rows) {
          const { tick, path } = row;
          const actual = this.policies.tierOf(path);
          if (actual !== tier) {
            walk.pass(tick, actual, 'gone');
            continue;
          }
          if (claimant.spares && this.stays(row, claimant.jobId, walk.keptFor)) {
            walk.pass(tick, tier, 'own');
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
      // Also when no more is requested: the last yielded entry was not passed then.
      if (this.generation === this.policies.generation) {
        for (const each of TIERS) this.below.set(each, walk.below(each, this.belowOf(each)));
        if (claimant.spares && this.keepsGeneration === this.keeps.generation) {
          this.remember(key, { below: walk.othersBelow, keptFor: walk.keptFor });
        }
      }
    }
  }

  /** Whether a job counts on the entry: the asking one, or another that runs, which is then added to `keptFor`. */
  private stays({ jobTag: tag, path }: EvictionRow, jobId: string | undefined, keptFor: Set<string>): boolean {
    // For most entries the row is enough.
    if (jobId !== undefined && tag === jobTag(jobId)) return true;
    let others = [...this.keeps.ofTag(tag)];
    if (others.length === 0) {
      const { keepers = [] } = this.index.get(path)?.entry ?? {};
      if (keepers.some((claim) => claim.jobId === jobId)) return true;
      others = keepers.flatMap((claim) => (this.keeps.has(claim.jobId) ? [claim.jobId] : []));
    }
    for (const other of others) keptFor.add(other);
    return others.length > 0;
  }

  private belowOf(tier: Tier): number {
    return this.below.get(tier) ?? 0;
  }

  private remember(job: string, passed: Passed): void {
    // Delete first: a Map keeps insertion order, so the first key is the job that asked longest ago.
    this.ownBelow.delete(job);
    this.ownBelow.set(job, passed);
    if (this.ownBelow.size > MAX_REMEMBERED_JOBS) {
      const [oldest] = this.ownBelow.keys();
      if (oldest !== undefined) this.ownBelow.delete(oldest);
    }
  }
}

function ownKey(tier: Tier, jobId: string | undefined): string {
  return `${tier}:${jobId}`;
}

/** What a walk along the order for one tier's entries has found, also about the other tiers. */
class Walk {
  from: number;
  /** The first entry met of each tier that stays. */
  private readonly first = new Map<Tier, number>();
  private firstRead: number | undefined;

  constructor(
    private readonly tier: Tier,
    private readonly start: number,
    /** Running jobs whose claims were met. */
    readonly keptFor: Set<string>,
  ) {
    this.from = start;
  }

  /** `gone`: a chosen entry of the walk's own tier; of another tier, any entry. */
  pass(tick: number, tier: Tier, as: 'gone' | 'own' | 'read'): void {
    this.from = tick + 1;
    if (as === 'read') this.firstRead ??= tick;
    if ((tier !== this.tier || as !== 'gone') && !this.first.has(tier)) this.first.set(tier, tick);
  }

  /** The tick below which a tier has no entry, if before the walk it had none below `known`. */
  below(tier: Tier, known: number): number {
    if (this.start > known) return known;
    return Math.max(known, this.first.get(tier) ?? this.from);
  }

  /** The tick below which the tier has only entries that stay for jobs. */
  get othersBelow(): number {
    return this.firstRead ?? this.from;
  }
}
