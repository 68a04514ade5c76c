import { crc32 } from 'node:zlib';
import { type Admission } from '../space/admission.js';
import { type AccessLog } from '../entries/access-log.js';
import { MAX_SHRINKING_CHANGES, type CacheIndex } from '../entries/cache-index.js';
import { asDiskFullError, isDiskFull } from '../disk/disk-errors.js';
import { encodePath } from '../entries/entry-codec.js';
import { IndexBatch } from '../entries/index-batch.js';
import { hasBytes } from '../entries/index-rows.js';
import { claimOf, type JobKeeps } from '../space/job-keeps.js';
import { type Mutex } from '../space/mutex.js';
import { encodeRecordHeader } from '../disk/record.js';
import { type RecordPlace } from '../disk/segments.js';
import {
  locationOf,
  operationsFor,
  takeGroup,
  withKeepers,
  type Content,
  type Operation,
  type PackedObject,
} from './operations.js';
import { type Space } from '../space/space.js';
import { type Storage } from '../space/storage.js';
import { type CacheEntry, type KeptCopy, type NewObject, type WriteOptions } from '../types.js';

/** Freed on a full disk when the index itself cannot grow. */
const INDEX_ROOM_BYTES = 1 << 20;

/**
 * Group commit: while one group is being written, new calls form the next group. A group costs one append with one
 * sync, and one index transaction, for any number of callers. No caller's promise resolves before both are durable.
 */
export class Committer {
  private queue: Operation[] = [];
  private closed = false;
  private running: Promise<void> | undefined;
  private readonly maxOperations: number;

  constructor(
    private readonly mutex: Mutex,
    private readonly index: CacheIndex,
    private readonly storage: Storage,
    private readonly space: Space,
    private readonly accesses: AccessLog,
    private readonly keeps: JobKeeps,
    private readonly admission: Admission,
    private readonly clock: () => number,
  ) {
    this.maxOperations = operationsFor(storage.usage.capacityBytes);
  }

  /** Stores a small object in a segment. @throws CacheFullError, DiskFullError, the signal's reason */
  put(object: NewObject, bytes: Buffer, { signal }: WriteOptions = {}): Promise<CacheEntry> {
    return this.admission.enter(object, () => this.putOnce(object, bytes), signal);
  }

  private putOnce(object: NewObject, bytes: Buffer): Promise<CacheEntry> {
    const path = encodePath(object.path);
    const checksum = crc32(bytes);
    const header = encodeRecordHeader(path, bytes.length, checksum);
    const record = { buffers: [header, bytes], sizeBytes: header.length + bytes.length };
    const packed: PackedObject = { record, object };
    return this.enqueue({
      packed,
      object,
      stage: (batch) => {
        if (packed.place === undefined) throw new Error('staged before it was appended');
        return this.replace(batch, object, { sizeBytes: bytes.length, crc32: checksum }, packed.place);
      },
    });
  }

  /** Makes a published object file visible. `committed` gives its reserved space back. */
  publish(object: NewObject, content: Content, objectId: number, committed: () => void): Promise<CacheEntry> {
    return this.enqueue({ object, stage: (batch) => this.replace(batch, object, content, { objectId }), committed });
  }

  /** Leaves a copy of the same version and size in place: it is worth more than its metadata. */
  putMetadata(object: NewObject, sizeBytes: number): Promise<CacheEntry> {
    encodePath(object.path);
    return this.enqueue({
      object,
      stage: (batch) => {
        const present = batch.get(object.path)?.entry;
        const same = present?.version === object.version && present.sizeBytes === sizeBytes;
        if (present && same && !present.metadataOnly) return present;
        return this.replace(batch, object, { sizeBytes, crc32: 0 }, undefined);
      },
    });
  }

  /**
   * Makes a copy the job's, as if the job had put it here. Resolves to whether the copy was there. @throws
   * DiskFullError
   */
  keep({ path, version, sizeBytes, jobId }: KeptCopy): Promise<boolean> {
    return this.enqueue({
      object: { path, version, jobId },
      stage: (batch) => {
        const present = batch.get(path);
        if (!hasBytes(present)) return false;
        const { entry } = present;
        if (entry.version !== version || entry.sizeBytes !== sizeBytes) return false;
        if (claimOf(entry, jobId)) return true;
        // A new tick: what is known of the order of old ticks holds for the jobs that had them (`eviction-order.ts`).
        const tick = this.accesses.nextTick();
        const keepers = this.keeps.claimsBeside(entry, jobId);
        const kept = { ...entry, jobId, kept: true, lastAccessMs: this.clock() };
        batch.set({ ...present, tick, entry: withKeepers(kept, keepers) });
        return true;
      },
    });
  }

  /** Resolves to whether there was something to delete. */
  delete(path: string): Promise<boolean> {
    return this.enqueue({
      shrinking: true,
      stage: (batch) => {
        const present = batch.get(path) !== undefined;
        if (present) batch.remove(path);
        return present;
      },
    });
  }

  /** Adds paths to the file index or removes them. Resolves to whether each changed. */
  setIndexed(paths: readonly string[], present: boolean): Promise<boolean[]> {
    return this.enqueue({
      weight: paths.length,
      stage: (batch) =>
        paths.map((path) => {
          const changed = batch.isIndexed(path) !== present;
          if (changed) batch.setIndexed(path, present);
          return changed;
        }),
    });
  }

  /** Accepts no more calls. Resolves when every earlier one is durable or has failed. */
  async close(): Promise<void> {
    this.closed = true;
    await this.running;
  }

  private enqueue<T>(operation: Omit<Operation<T>, 'resolve' | 'reject'>): Promise<T> {
    if (this.closed) return Promise.reject(new Error('The cache store is closed'));
    return new Promise<T>((resolve, reject) => {
      // The queue only passes a result from `stage` to `resolve` of the same operation.
      this.queue.push({ ...operation, resolve, reject } as Operation);
      this.running ??= this.run();
    });
  }

  private async run(): Promise<void> {
    while (this.queue.length > 0) {
      await this.mutex.run(async () => {
        const group = takeGroup(this.queue, this.maxOperations);
        try {
          await this.commit(group);
        } catch (error) {
          for (const operation of group) operation.reject(error);
        }
      });
    }
    this.running = undefined;
  }

  private async commit(group: Operation[]): Promise<void> {
    await this.appendPacked(group);
    // Those without a place have failed, and their callers know.
    const ready = group.filter(({ packed }) => packed === undefined || packed.place !== undefined);
    await this.commitReady(ready);
  }

  /**
   * On a full disk, evicts something for the index, and then makes the group smaller, as it then needs less room.
   * Operations that only remove come last: they have room of their own.
   */
  private async commitReady(ready: Operation[]): Promise<void> {
    try {
      return await this.commitIndex(ready);
    } catch (error) {
      if (!isDiskFull(error)) throw error;
      await this.freeForIndex(ready, error);
    }
    try {
      return await this.commitIndex(ready);
    } catch (error) {
      if (!isDiskFull(error)) throw error;
      const [first] = ready;
      if (ready.length > 1) {
        const half = Math.ceil(ready.length / 2);
        for (const part of [ready.slice(0, half), ready.slice(half)]) await this.commitReady(part);
      } else first?.reject(asDiskFullError(error));
    }
  }

  private async freeForIndex(operations: Operation[], error: unknown): Promise<void> {
    const object = this.space.highestOf(operations.flatMap((operation) => operation.object ?? []));
    const bytes = (error as { wantedBytes?: number }).wantedBytes ?? INDEX_ROOM_BYTES;
    if (object !== undefined) await this.space.freeDisk({ bytes, packed: false, object });
  }

  private async commitIndex(operations: Operation[]): Promise<void> {
    const shrinking = operations.every((operation) => operation.shrinking);
    const batch = new IndexBatch(this.index);
    if (!shrinking) this.accesses.drainInto(batch);
    const results = operations.map((operation) => operation.stage(batch));
    const changes = await this.index.commit(batch, {
      shrinking: shrinking && operations.length <= MAX_SHRINKING_CHANGES,
    });
    for (const operation of operations) operation.committed?.();
    await this.storage.settle(changes);
    operations.forEach((operation, i) => operation.resolve(results[i]));
  }

  /** Reserves room for the group's packed objects and appends them. Rejects those that fail. */
  private async appendPacked(group: Operation[]): Promise<void> {
    const admitted: Required<Pick<Operation, 'packed' | 'reject'>>[] = [];
    for (const { packed, reject } of group) {
      if (packed === undefined) continue;
      try {
        await this.space.reserve({ bytes: packed.record.sizeBytes, packed: true, object: packed.object });
        admitted.push({ packed, reject });
      } catch (error) {
        reject(error);
      }
    }
    if (admitted.length === 0) return;
    try {
      await this.append(admitted.map(({ packed }) => packed));
    } catch (error) {
      for (const { packed, reject } of admitted) await this.appendOnFullDisk(packed, error, reject);
    }
  }

  private async append(objects: PackedObject[]): Promise<void> {
    const places = await this.storage.segments.append(objects.map(({ record }) => record));
    objects.forEach((object, i) => (object.place = places[i]));
  }

  /** The group did not fit the disk: appends each object by itself, after evicting something for it. */
  private async appendOnFullDisk(packed: PackedObject, cause: unknown, reject: (error: unknown) => void) {
    try {
      if (!isDiskFull(cause)) throw cause;
      try {
        await this.append([packed]);
      } catch (error) {
        if (!isDiskFull(error)) throw error;
        const { record, object } = packed;
        await this.space.reserveAgain({ bytes: record.sizeBytes, packed: true, object });
        await this.append([packed]);
      }
    } catch (error) {
      this.space.giveBack({ bytes: packed.record.sizeBytes, packed: true });
      reject(asDiskFullError(error));
    }
  }

  private replace(
    batch: IndexBatch,
    object: NewObject,
    content: Content,
    place: RecordPlace | { objectId: number } | undefined,
  ): CacheEntry {
    const now = this.clock();
    const entry: CacheEntry = {
      path: object.path,
      sizeBytes: content.sizeBytes,
      version: object.version,
      crc32: content.crc32,
      loadedAtMs: Math.min(object.loadedAtMs ?? now, now),
      lastAccessMs: now,
      ...(place === undefined ? { metadataOnly: true } : {}),
      ...(object.jobId === undefined ? {} : { jobId: object.jobId }),
      replicas: object.replicas ?? 1,
    };
    const keepers = this.keeps.claimsBeside(batch.get(object.path)?.entry, object.jobId);
    if (place !== undefined) batch.setIndexed(object.path, true);
    else if (hasBytes(batch.get(object.path))) batch.setIndexed(object.path, false);
    batch.set({ entry: withKeepers(entry, keepers), tick: this.accesses.nextTick(), location: locationOf(place) });
    return entry;
  }
}
