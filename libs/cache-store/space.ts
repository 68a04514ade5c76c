import { type AccessLog } from './access-log.js';
import { MAX_SHRINKING_CHANGES, type CacheIndex } from './cache-index.js';
import { type Compaction } from './compaction.js';
import { isDiskFull } from './disk-errors.js';
import { type StoredEntry } from './entry-codec.js';
import { type EvictionOrder } from './eviction-order.js';
import { IndexBatch } from './index-batch.js';
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
  jobId?: string;
}

/** Makes room within the capacity, and on a full disk. Runs under the store's mutex. */
export class Space {
  constructor(
    private readonly index: CacheIndex,
    private readonly storage: Storage,
    private readonly order: EvictionOrder,
    private readonly compaction: Compaction,
    private readonly accesses: AccessLog,
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
    let budget = 2 * need.bytes + 2 * segments.segmentBytes;
    while (usage.diskBytes > goal && budget > 0) {
      const victims = await this.order.pick(need.jobId, usage.diskBytes - goal, MAX_SHRINKING_CHANGES);
      if (victims.length === 0) return;
      await this.evict(victims);
      budget -= victims.reduce((sum, victim) => sum + storedBytes(victim), 0);
    }
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
      const victims = await this.order.pick(need.jobId, missing + slackBytes, MAX_VICTIMS);
      if (victims.length > 0) await this.evict(victims);
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

  private async evict(victims: StoredEntry[]): Promise<void> {
    const batch = new IndexBatch(this.index);
    for (const { entry } of victims) batch.remove(entry.path);
    try {
      await this.storage.settle(await this.index.commit(batch, { shrinking: true }));
    } catch (error) {
      this.order.forget();
      throw error;
    }
  }

  private explain({ jobId }: Need): string {
    const { objects, usedBytes, capacityBytes } = this.storage.usage;
    const left = `${objects} objects with ${usedBytes} of ${capacityBytes} bytes are left`;
    return jobId === undefined ? `${left}, all being read` : `${left}, all loaded by job ${jobId} or being read`;
  }
}

function garbageShare(segment: Segment): number {
  return (segment.sizeBytes - segment.liveBytes) / segment.sizeBytes;
}
