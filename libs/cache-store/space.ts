import { HIGHEST_TIER, type ActivePolicies } from './active-policies.js';
import { type AccessLog } from './access-log.js';
import { MAX_SHRINKING_CHANGES, type CacheIndex } from './cache-index.js';
import { type Compaction } from './compaction.js';
import { isDiskFull } from './disk-errors.js';
import { type Claimant, type EvictionOrder } from './eviction-order.js';
import { type Expiry, type Loaded } from './expiry.js';
import { IndexBatch } from './index-batch.js';
import { hasBytes } from './index-rows.js';
import { type Segment } from './segments.js';
import { storedBytes, type Storage } from './storage.js';
import { CacheFullError } from './types.js';

/** Entries per eviction transaction. */
const MAX_VICTIMS = 256;
/** A segment with this share of dead bytes is compacted rather than more being evicted. */
const WORTHWHILE_GARBAGE = 0.25;

export interface Need {
  bytes: number;
  /** For a segment file, or for a file of its own. */
  packed: boolean;
  /** What it is for. Left out, it is for the cache as a whole: anything may be evicted. */
  object?: { path: string; jobId?: string };
}

/** Makes room within the capacity, and on a full disk. Runs under the store's mutex. */
export class Space {
  constructor(
    private readonly index: CacheIndex,
    private readonly storage: Storage,
    private readonly order: EvictionOrder,
    private readonly compaction: Compaction,
    private readonly accesses: AccessLog,
    private readonly policies: ActivePolicies,
  ) {}

  /** Reserves the bytes, evicting and compacting as needed; give them back through `usage.reservedBytes`. */
  async reserve(need: Need): Promise<void> {
    if (this.shortfall(need) > 0) await this.makeRoom(need);
    this.storage.usage.reservedBytes += need.bytes;
  }

  /** After opening with less capacity than before. */
  async shrinkToCapacity(): Promise<void> {
    const need: Need = { bytes: 0, packed: false };
    if (this.storage.usage.freeBytes < 0) await this.makeRoom(need);
  }

  /**
   * The file system is full although capacity is not: evicts what gives disk space back at once, until `need.bytes` are
   * free or a bound is reached (someone else may be filling the disk; the cache is not emptied for that).
   */
  async freeDisk(need: Need): Promise<void> {
    const { usage, segments } = this.storage;
    const goal = usage.diskBytes - need.bytes;
    await this.flushAccesses();
    let budget = 2 * need.bytes + 2 * segments.segmentBytes;
    while (usage.diskBytes > goal && budget > 0) {
      const victims = await this.order.pick(this.claimant(need), usage.diskBytes - goal, MAX_SHRINKING_CHANGES);
      if (victims.length === 0) return;
      await this.evict(victims.map(({ entry }) => entry.path));
      budget -= victims.reduce((sum, victim) => sum + storedBytes(victim), 0);
    }
  }

  /** Removes those of them that are still the same copies, and are still to expire. */
  async expire(candidates: Loaded[], expiry: Pick<Expiry, 'isExpired'>): Promise<void> {
    const expired = candidates.filter((candidate) => {
      const entry = this.index.get(candidate.path)?.entry;
      return entry?.loadedAtMs === candidate.loadedAtMs && expiry.isExpired(entry);
    });
    this.storage.usage.expiredObjects += await this.drop(expired.map(({ path }) => path));
  }

  /** Writes pending accesses to the index; on a full disk their order is lost. */
  async flushAccesses(): Promise<void> {
    while (!this.accesses.isEmpty) {
      const batch = new IndexBatch(this.index);
      this.accesses.drainInto(batch);
      try {
        await this.storage.settle(await this.index.commit(batch));
      } catch (error) {
        if (!isDiskFull(error)) throw error;
      }
    }
  }

  /** The object for which most may be evicted. */
  highestOf<T extends { path: string }>(objects: T[]): T | undefined {
    let highest: T | undefined;
    for (const object of objects) {
      if (!highest || this.policies.tierOf(object.path) > this.policies.tierOf(highest.path)) highest = object;
    }
    return highest;
  }

  /** @throws CacheFullError */
  private async makeRoom(need: Need): Promise<void> {
    const { usage, segments } = this.storage;
    if (need.bytes + (need.packed ? Math.min(segments.segmentBytes, need.bytes) : 0) > usage.capacityBytes) {
      throw new CacheFullError(`An object of ${need.bytes} bytes exceeds the cache's ${usage.capacityBytes}`);
    }
    await this.flushAccesses();
    // Evicting somewhat more than asked saves most callers a transaction of their own.
    const slackBytes = Math.floor(segments.segmentBytes / 8);
    let canCompact = true;
    for (let missing = this.shortfall(need); missing > 0; missing = this.shortfall(need)) {
      const emptiest = canCompact ? this.emptiestSegment() : undefined;
      if (emptiest && garbageShare(emptiest) >= WORTHWHILE_GARBAGE) {
        canCompact = await this.compact(emptiest);
        continue;
      }
      const victims = await this.order.pick(this.claimant(need), missing + slackBytes, MAX_VICTIMS);
      if (victims.length > 0) await this.evict(victims.map(({ entry }) => entry.path));
      else if (emptiest) canCompact = await this.compact(emptiest);
      else throw new CacheFullError(`No room for ${need.bytes} bytes: ${this.explain(need)}`);
    }
  }

  /**
   * Bytes missing from what has to stay free: the need, and as much as moving the live records of one segment can take,
   * so that compaction never has to fit into a full cache.
   */
  private shortfall(need: Need): number {
    const { usage, segments } = this.storage;
    const packedBytes = usage.segmentBytes + (need.packed ? need.bytes : 0);
    return need.bytes + Math.min(segments.segmentBytes, packedBytes) - usage.freeBytes;
  }

  private emptiestSegment(): Segment | undefined {
    const { segments, usage } = this.storage;
    let best: Segment | undefined;
    for (const segment of segments.all()) {
      if (segment.damaged || segment.liveBytes === segment.sizeBytes || segment.liveBytes > usage.freeBytes) continue;
      if (segments.pins.has(segment.id)) continue;
      if (best === undefined || garbageShare(segment) > garbageShare(best)) best = segment;
    }
    return best;
  }

  /** False when the disk is too full to copy anything. */
  private async compact(segment: Segment): Promise<boolean> {
    try {
      await this.compaction.run(segment);
      return true;
    } catch (error) {
      if (isDiskFull(error)) return false;
      throw error;
    }
  }

  private async evict(paths: string[]): Promise<void> {
    try {
      this.storage.usage.evictedObjects += await this.drop(paths);
    } catch (error) {
      this.order.forget();
      throw error;
    }
  }

  /** In as few transactions as a full disk allows. Gives the number of copies that went. */
  private async drop(paths: string[]): Promise<number> {
    const batch = new IndexBatch(this.index);
    for (const path of paths) batch.remove(path);
    let changes;
    try {
      changes = await this.index.commit(batch, { shrinking: true });
    } catch (error) {
      if (!isDiskFull(error) || paths.length < 2) throw error;
      const half = Math.ceil(paths.length / 2);
      return (await this.drop(paths.slice(0, half))) + (await this.drop(paths.slice(half)));
    }
    await this.storage.settle(changes);
    return changes.filter(({ before }) => hasBytes(before)).length;
  }

  private claimant({ object }: Need): Claimant {
    return object ? { jobId: object.jobId, tier: this.policies.tierOf(object.path) } : { tier: HIGHEST_TIER };
  }

  private explain({ object }: Need): string {
    const { objects, usedBytes, capacityBytes } = this.storage.usage;
    const left = `${objects} objects with ${usedBytes} of ${capacityBytes} bytes are left, all of higher priority`;
    return object?.jobId === undefined
      ? `${left} or being read`
      : `${left}, loaded by job ${object.jobId} or being read`;
  }
}

function garbageShare(segment: Segment): number {
  return (segment.sizeBytes - segment.liveBytes) / segment.sizeBytes;
}
