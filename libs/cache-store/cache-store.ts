import { createHash } from 'node:crypto';
import { pipeline } from 'node:stream/promises';
import { type DirectoryLock } from '#process';
import { type ActivePolicies } from './space/active-policies.js';
import { type AccessLog } from './entries/access-log.js';
import { type Admission } from './space/admission.js';
import { type CacheIndex } from './entries/cache-index.js';
import { PinnedRead, pinBytes } from './io/cache-read.js';
import { type Committer } from './io/committer.js';
import { directoryName, type DirectoryUsage } from './entries/directories.js';
import { type CopyThreads } from './copying/copy-threads.js';
import { type DiskRoom } from './disk/disk-room.js';
import { encodePath, MAX_REPLICAS, type StoredEntry } from './entries/entry-codec.js';
import { type Expiry } from './space/expiry.js';
import { FileIndex } from './io/file-index.js';
import { hasBytes } from './entries/index-rows.js';
import { type JobKeeps } from './space/job-keeps.js';
import { type Mutex } from './space/mutex.js';
import { ObjectWriter } from './io/object-writer.js';
import { PackedWriter } from './io/packed-writer.js';
import { type Space } from './space/space.js';
import { type Storage } from './space/storage.js';
import { type Trimming } from './space/trimming.js';
import {
  CorruptObjectError,
  type CacheEntry,
  type CacheFileIndex,
  type CachePolicies,
  type CacheRead,
  type CacheStats,
  type CacheStore,
  type CacheWriter,
  type KeptCopy,
  type NewObject,
  type WriteOptions,
} from './types.js';

const HOUSEKEEPING_INTERVAL_MS = 1000;

export interface StoreParts {
  lock: DirectoryLock;
  mutex: Mutex;
  index: CacheIndex;
  storage: Storage;
  space: Space;
  disk: DiskRoom;
  copyThreads: CopyThreads;
  keeps: JobKeeps;
  admission: Admission;
  committer: Committer;
  accesses: AccessLog;
  policies: ActivePolicies;
  expiry: Expiry;
  trimming: Trimming;
  packedMaxBytes: number;
  log: (message: string, details?: Record<string, unknown>) => void;
}

/** The interface over its parts: looks entries up, hands writing to the committer and the writers. */
export class DiskCacheStore implements CacheStore {
  readonly fileIndex: CacheFileIndex;
  private readonly writers = new Set<ObjectWriter>();
  private readonly housekeeping: NodeJS.Timeout;
  private closing: Promise<void> | undefined;

  constructor(private readonly parts: StoreParts) {
    this.housekeeping = setInterval(() => void this.keepHouse(), HOUSEKEEPING_INTERVAL_MS);
    this.housekeeping.unref();
    this.fileIndex = new FileIndex(parts.index, parts.committer, () => this.assertOpen());
    parts.expiry.start();
  }

  get(path: string): CacheEntry | undefined {
    this.assertOpen();
    const stored = this.parts.index.get(path);
    return stored && this.visible(stored);
  }

  async put(object: NewObject, bytes: Buffer, options: WriteOptions = {}): Promise<CacheEntry> {
    this.assertOpen();
    assertStorable(object);
    if (bytes.length <= this.parts.packedMaxBytes) return this.parts.committer.put(object, bytes, options);
    const writer = await this.openObjectWriter(object, bytes.length, options);
    await writer.write(bytes);
    return writer.commit();
  }

  async create(object: NewObject, sizeBytes: number, options: WriteOptions = {}): Promise<CacheWriter> {
    this.assertOpen();
    assertStorable(object);
    if (!Number.isSafeInteger(sizeBytes) || sizeBytes < 0) throw new RangeError(`Not a size: ${sizeBytes}`);
    if (sizeBytes <= this.parts.packedMaxBytes) {
      return new PackedWriter(this.parts.committer, object, sizeBytes, options);
    }
    return this.openObjectWriter(object, sizeBytes, options);
  }

  async putMetadata(object: NewObject, sizeBytes: number): Promise<CacheEntry> {
    this.assertOpen();
    assertStorable(object);
    return this.parts.committer.putMetadata(object, sizeBytes);
  }

  async keep(copy: KeptCopy): Promise<boolean> {
    this.assertOpen();
    return this.parts.committer.keep(copy);
  }

  keepFor(jobId: string): Promise<void> {
    this.assertOpen();
    return this.parts.keeps.add(jobId);
  }

  letGo(jobId: string): void {
    this.parts.keeps.letGo(jobId);
  }

  keptFor(): string[] {
    return this.parts.keeps.list();
  }

  onKeptFull(confirm: () => Promise<void>): void {
    this.parts.keeps.confirm = confirm;
  }

  read(path: string): CacheRead | undefined {
    this.assertOpen();
    const stored = this.parts.index.get(path);
    const bytes = stored && pinBytes(this.parts.storage, stored);
    if (stored === undefined || bytes === undefined) return undefined;
    this.parts.accesses.record(path);
    return new PinnedRead(this.visible(stored), bytes);
  }

  async check(path: string, md5Hex?: string): Promise<boolean> {
    this.assertOpen();
    const stored = this.parts.index.get(path);
    const bytes = stored && pinBytes(this.parts.storage, stored);
    if (stored === undefined || bytes === undefined) return false;
    const md5 = createHash('md5');
    try {
      await pipeline(new PinnedRead(stored.entry, bytes).stream(), md5);
    } catch (error) {
      if (error instanceof CorruptObjectError) return false;
      throw error;
    }
    return md5Hex === undefined || md5.digest('hex') === md5Hex.toLowerCase();
  }

  async delete(path: string): Promise<boolean> {
    this.assertOpen();
    return this.parts.committer.delete(path);
  }

  *entries(prefix: string, { after, limit = Infinity }: { after?: string; limit?: number } = {}): Iterable<CacheEntry> {
    let left = limit;
    if (left <= 0) return;
    this.assertOpen();
    for (const stored of this.parts.index.range(prefix, after)) {
      yield this.visible(stored);
      if (--left <= 0) return;
      this.assertOpen();
    }
  }

  stats(): CacheStats {
    const { usage } = this.parts.storage;
    const { capacityBytes, usedBytes, diskBytes, objects, metadataEntries, evictedObjects, expiredObjects } = usage;
    return { capacityBytes, usedBytes, diskBytes, objects, metadataEntries, evictedObjects, expiredObjects };
  }

  setPolicies(policies: CachePolicies): void {
    this.assertOpen();
    this.parts.policies.set(policies);
    void this.parts.expiry.run();
  }

  usage(path: string): DirectoryUsage {
    this.assertOpen();
    const { index, storage } = this.parts;
    const directory = directoryName(path);
    if (directory === '') return { bytes: storage.usage.usedBytes, objects: storage.usage.objects };
    const below = index.directoryUsage(directory);
    const itself = index.get(directory);
    if (!hasBytes(itself)) return below;
    return { bytes: below.bytes + itself.entry.sizeBytes, objects: below.objects + 1 };
  }

  async trim(path: string, maxBytes: number): Promise<void> {
    this.assertOpen();
    await this.parts.trimming.run(directoryName(path), maxBytes, () => (this.closing ? 0 : this.usage(path).bytes));
  }

  close(): Promise<void> {
    this.closing ??= this.shutDown();
    return this.closing;
  }

  private async shutDown(): Promise<void> {
    const { committer, mutex, space, storage, index, lock, expiry, admission, keeps, copyThreads } = this.parts;
    clearInterval(this.housekeeping);
    admission.close();
    await expiry.stop();
    for (const writer of this.writers) await writer.abort();
    await Promise.all([...this.writers].map((writer) => writer.ended));
    await copyThreads.close();
    await committer.close();
    await mutex.close(async () => {
      await space.flushAccesses();
      await storage.segments.close();
      await index.close();
    });
    await keeps.close();
    lock.release();
  }

  private async openObjectWriter(object: NewObject, sizeBytes: number, options: WriteOptions): Promise<ObjectWriter> {
    const writer = await ObjectWriter.open(
      { ...this.parts, onEnd: (ended) => this.writers.delete(ended) },
      object,
      sizeBytes,
      options,
    );
    this.writers.add(writer);
    return writer;
  }

  /** Writes accesses that no other write has written. */
  private async keepHouse(): Promise<void> {
    const { mutex, space, log } = this.parts;
    try {
      await mutex.run(async () => {
        if (this.closing) return;
        await space.flushAccesses();
      });
    } catch (error) {
      log('The cache index could not be updated with recent accesses', { error: String(error) });
    }
  }

  private visible({ entry }: StoredEntry): CacheEntry {
    const lastAccessMs = this.parts.accesses.lastAccessMs(entry.path);
    return lastAccessMs === undefined ? entry : { ...entry, lastAccessMs };
  }

  private assertOpen(): void {
    if (this.closing) throw new Error('The cache store is closed');
  }
}

/** @throws Error, PathTooLongError, RangeError */
function assertStorable({ path, replicas = 1 }: NewObject): void {
  encodePath(path);
  if (!Number.isInteger(replicas) || replicas < 1 || replicas > MAX_REPLICAS) {
    throw new RangeError(`${path}: not a number of replicas: ${replicas}`);
  }
}
