import { HIGHEST_TIER, type ActivePolicies } from './active-policies.js';
import { type AccessLog } from '../entries/access-log.js';
import { type CacheIndex } from '../entries/cache-index.js';
import { type Compaction } from './compaction.js';
import { isDiskFull } from '../disk/disk-errors.js';
import { KEPT_FREE_BYTES, type DiskRoom } from '../disk/disk-room.js';
import { type Claimant, type EvictionOrder } from './eviction-order.js';
import { type Expiry, type Loaded } from './expiry.js';
import { IndexBatch } from '../entries/index-batch.js';
import { hasBytes } from '../entries/index-rows.js';
import { type Segment } from '../disk/segments.js';
import { storedBytes, type Storage } from './storage.js';
import { CacheFullError, DiskFullError, NoRoomError } from '../types.js';

/** Entries per eviction transaction. */
const MAX_VICTIMS = 256;
/** When a segment has this share of dead bytes, it is compacted before more is evicted. */
const WORTHWHILE_GARBAGE = 0.25;
/** In a refusal's sentence. */
const MAX_NAMED_JOBS = 3;

export interface Need {
  bytes: number;
  /** Whether the bytes are for a segment file, or for a file of their own. */
  packed: boolean;
  /** The object to make room for. Without it, the room is for the cache as a whole: anything may be evicted. */
  object?: { path: string; jobId?: string };
}

/** The missing bytes; nothing is missing where `bytes` is 0 or less. */
interface Shortfall {
  bytes: number;
  of: 'cache' | 'disk';
  /** What is free, in the cache and on its disk. */
  freeBytes: number;
}

/** Makes room within the capacity, and within what the disk really has. Runs under the store's mutex. */
export class Space {
  constructor(
    private readonly index: CacheIndex,
    private readonly storage: Storage,
    private readonly order: EvictionOrder,
    private readonly compaction: Compaction,
    private readonly accesses: AccessLog,
    private readonly policies: ActivePolicies,
    private readonly disk: DiskRoom,
  ) {}

  /**
   * Reserves the bytes, evicting and compacting as needed; see `giveBack`.
   * @throws CacheFullError, DiskFullError
   */
  async reserve(need: Need): Promise<void> {
    if ((await this.shortfall(need)).bytes > 0) await this.makeRoom(need);
    this.promise(need);
    this.disk.promise(need.bytes);
  }

  /** Gives back the reserved bytes that have not become bytes of counted files. */
  giveBack({ bytes, packed }: Pick<Need, 'bytes' | 'packed'>): void {
    this.promise({ bytes: -bytes, packed });
  }

  /**
   * The disk was full for a writer although it had these bytes promised: another program has used them. They are given
   * up and, if possible, reserved again. @throws CacheFullError, DiskFullError; the bytes still belong to the writer
   * then
   */
  async reserveAgain(need: Need): Promise<void> {
    this.giveBack(need);
    try {
      await this.reserve(need);
    } catch (error) {
      this.promise(need);
      throw error;
    }
  }

  /** Call this after opening with less capacity than before. */
  async shrinkToCapacity(): Promise<void> {
    const need: Need = { bytes: 0, packed: false };
    if (this.storage.usage.freeBytes < 0) await this.makeRoom(need);
  }

  private promise({ bytes, packed }: Pick<Need, 'bytes' | 'packed'>): void {
    const { usage } = this.storage;
    usage.reservedBytes += bytes;
    if (!packed) usage.streamedBytes += bytes;
  }

  /** Makes room on the disk for other things than objects, as far as possible. */
  async freeDisk(need: Need): Promise<void> {
    try {
      if ((await this.shortfall(need)).bytes > 0) await this.makeRoom(need);
    } catch (error) {
      if (!(error instanceof NoRoomError)) throw error;
    }
  }

  /** Removes those candidates that are still the same copies and have still expired. */
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

  /** @throws CacheFullError, DiskFullError */
  private async makeRoom(need: Need): Promise<void> {
    const { segments } = this.storage;
    this.assertPossible(need);
    await this.flushAccesses();
    // Evicting somewhat more than asked saves most callers a transaction of their own.
    const slackBytes = Math.floor(segments.segmentBytes / 8);
    // Another program may be filling the disk: do not empty the cache for that.
    let diskBudget = 2 * need.bytes + 2 * segments.segmentBytes + KEPT_FREE_BYTES;
    let canCompact = true;
    for (let missing = await this.shortfall(need); missing.bytes > 0; missing = await this.shortfall(need)) {
      const emptiest = canCompact ? this.emptiestSegment(missing.freeBytes) : undefined;
      if (emptiest && garbageShare(emptiest) >= WORTHWHILE_GARBAGE) {
        canCompact = await this.compact(emptiest);
        continue;
      }
      const mayEvict = missing.of === 'cache' || diskBudget > 0;
      const victims = mayEvict
        ? await this.order.pick(this.claimant(need), missing.bytes + slackBytes, MAX_VICTIMS)
        : [];
      if (victims.length > 0) {
        await this.evict(victims.map(({ entry }) => entry.path));
        if (missing.of === 'disk') diskBudget -= victims.reduce((sum, victim) => sum + storedBytes(victim), 0);
      } else if (emptiest) canCompact = await this.compact(emptiest);
      else throw this.refusal(need, missing);
    }
  }

  /** An object that can never fit must evict nothing. @throws CacheFullError, DiskFullError */
  private assertPossible(need: Need): void {
    const { usage, segments } = this.storage;
    const wanted = need.bytes + (need.packed ? Math.min(segments.segmentBytes, need.bytes) : 0);
    if (wanted <= usage.capacityBytes) return;
    const size = `An object of ${need.bytes} bytes`;
    if (usage.heldToDisk) throw new DiskFullError(`${size} exceeds the disk, which has ${usage.capacityBytes}`);
    throw new CacheFullError(`${size} exceeds the cache's ${usage.capacityBytes}`);
  }

  /**
   * Bytes missing from what must stay free: the need, and the largest size of one segment's live records. So compaction
   * always has room, also in a full cache.
   */
  private async shortfall(need: Need): Promise<Shortfall> {
    const { usage, segments } = this.storage;
    const packedBytes = usage.segmentBytes + (need.packed ? need.bytes : 0);
    const wanted = need.bytes + Math.min(segments.segmentBytes, packedBytes);
    const onDisk = await this.disk.freeBytes(wanted);
    const freeBytes = Math.min(usage.freeBytes, onDisk + KEPT_FREE_BYTES);
    if (onDisk < usage.freeBytes) return { bytes: wanted - onDisk, of: 'disk', freeBytes };
    return { bytes: wanted - usage.freeBytes, of: 'cache', freeBytes };
  }

  private emptiestSegment(freeBytes: number): Segment | undefined {
    const { segments } = this.storage;
    let best: Segment | undefined;
    for (const segment of segments.all()) {
      if (segment.damaged || segment.liveBytes === segment.sizeBytes || segment.liveBytes > freeBytes) continue;
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

  /** Runs under the store's mutex, like all of this class. */
  async evict(paths: string[]): Promise<void> {
    try {
      this.storage.usage.evictedObjects += await this.drop(paths);
    } catch (error) {
      this.order.forget();
      throw error;
    }
  }

  /** Removes in as few transactions as a full disk allows. Returns the number of removed copies. */
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
    return object
      ? { jobId: object.jobId, tier: this.policies.tierOf(object.path), spares: true }
      : { tier: HIGHEST_TIER, spares: false };
  }

  private refusal(need: Need, { bytes: missingBytes, of }: Shortfall): NoRoomError {
    const { objects, usedBytes, capacityBytes, streamedBytes } = this.storage.usage;
    const keptFor = this.order.keptForOthers(this.claimant(need));
    const left = `${objects} objects with ${usedBytes} of ${capacityBytes} bytes are left, ${whyLeft(need, keptFor)}`;
    const refusal = { missingBytes, promisedBytes: streamedBytes, keptFor };
    return of === 'disk'
      ? new DiskFullError(`The disk is full, no room for ${need.bytes} bytes: ${left}`, refusal)
      : new CacheFullError(`No room for ${need.bytes} bytes: ${left}`, refusal);
  }
}

/** The rest of a sentence after "are left,". */
function whyLeft({ object }: Need, keptFor: readonly string[]): string {
  const reasons = ['all of higher priority'];
  if (object?.jobId !== undefined) reasons.push(`loaded by job ${object.jobId}`);
  if (keptFor.length > 0) {
    const others = keptFor.length > MAX_NAMED_JOBS ? ` and ${keptFor.length - MAX_NAMED_JOBS} others` : '';
    reasons.push(`kept for running jobs: ${keptFor.slice(0, MAX_NAMED_JOBS).join(', ')}${others}`);
  }
  return `${reasons.join(', ')} or being read`;
}

function garbageShare(segment: Segment): number {
  return (segment.sizeBytes - segment.liveBytes) / segment.sizeBytes;
}
