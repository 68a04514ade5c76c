import type {
  CacheEntry,
  CacheFileIndex,
  CachePolicies,
  CacheRead,
  CacheStats,
  CacheStore,
  CacheWriter,
  KeptCopy,
  NewObject,
  WriteOptions,
} from '#cache-store';
import type { CacheStores } from './cache-stores.js';
import { numberedKey, splitKey } from './store-keys.js';
import { ScopedFileIndex } from './scoped-file-index.js';

/**
 * The cache as the mounts of the moment cover it. Copies of a store that is not mounted at their path are hidden: they
 * are not found, listed or counted below a directory. `UnmountedCopies` has those. Written content names its store, as
 * another store may be mounted by then.
 */
export class ScopedCache implements CacheStore {
  readonly fileIndex: CacheFileIndex;

  constructor(
    private readonly cache: CacheStore,
    private readonly stores: CacheStores,
  ) {
    this.fileIndex = new ScopedFileIndex(cache.fileIndex, stores);
  }

  get(path: string): CacheEntry | undefined {
    const key = this.stores.coverage.keyOf(path);
    const entry = key === undefined ? undefined : this.cache.get(key);
    return entry && named(entry, path);
  }

  async put(object: NewObject, bytes: Buffer, options?: WriteOptions): Promise<CacheEntry> {
    return named(await this.cache.put(await this.keyed(object), bytes, options), object.path);
  }

  async create(object: NewObject, sizeBytes: number, options?: WriteOptions): Promise<CacheWriter> {
    const writer = await this.cache.create(await this.keyed(object), sizeBytes, options);
    return {
      write: (chunk) => writer.write(chunk),
      writePart: (offset, bytes) => writer.writePart(offset, bytes),
      copyPart: (offset, length, source) => writer.copyPart(offset, length, source),
      commit: async () => named(await writer.commit(), object.path),
      abort: () => writer.abort(),
    };
  }

  async putMetadata(object: NewObject, sizeBytes: number): Promise<CacheEntry> {
    return named(await this.cache.putMetadata(await this.keyed(object), sizeBytes), object.path);
  }

  async keep(copy: KeptCopy): Promise<boolean> {
    const path = this.stores.coverage.keyOf(copy.path);
    return path === undefined ? false : this.cache.keep({ ...copy, path });
  }

  read(path: string): CacheRead | undefined {
    const key = this.stores.coverage.keyOf(path);
    const read = key === undefined ? undefined : this.cache.read(key);
    if (!read) return undefined;
    return { entry: named(read.entry, path), stream: (range) => read.stream(range), close: () => read.close() };
  }

  async check(path: string, md5Hex?: string): Promise<boolean> {
    const key = this.stores.coverage.keyOf(path);
    return key === undefined ? false : this.cache.check(key, md5Hex);
  }

  async delete(path: string): Promise<boolean> {
    const key = this.stores.coverage.keyOf(path);
    return key === undefined ? false : this.cache.delete(key);
  }

  *entries(prefix: string, { after, limit = Infinity }: { after?: string; limit?: number } = {}): Iterable<CacheEntry> {
    let left = limit;
    for (const entry of left > 0 ? this.covered(prefix, after) : []) {
      yield entry;
      if (--left <= 0) return;
    }
  }

  usage(path: string): { bytes: number; objects: number } {
    if (path === '') return this.cache.usage('');
    const key = this.stores.coverage.keyOf(path);
    return key === undefined ? { bytes: 0, objects: 0 } : this.cache.usage(key);
  }

  /** Copies that no mount covers are evicted before all others, and have no time to live. */
  setPolicies(policies: CachePolicies): void {
    const { coverage } = this.stores;
    this.cache.setPolicies({
      tierOf: (key) => {
        const path = coverage.pathOf(key);
        return path === undefined ? -1 : policies.tierOf(path);
      },
      ttlSecondsOf: (key) => {
        const path = coverage.pathOf(key);
        return path === undefined ? undefined : policies.ttlSecondsOf(path);
      },
    });
  }

  async trim(path: string, maxBytes: number): Promise<void> {
    const key = this.stores.coverage.keyOf(path);
    if (key !== undefined) await this.cache.trim(key, maxBytes);
  }

  keepFor(jobId: string): Promise<void> {
    return this.cache.keepFor(jobId);
  }

  letGo(jobId: string): void {
    this.cache.letGo(jobId);
  }

  keptFor(): string[] {
    return this.cache.keptFor();
  }

  onKeptFull(confirm: () => Promise<void>): void {
    this.cache.onKeptFull(confirm);
  }

  stats(): CacheStats {
    return this.cache.stats();
  }

  close(): Promise<void> {
    return this.cache.close();
  }

  /**
   * Mounted directories never overlap: when they are in order, so are their copies. A copy named exactly like the
   * directory, without its slash, has a place of its own.
   */
  private *covered(prefix: string, after: string | undefined): Iterable<CacheEntry> {
    const { roots } = this.stores.coverage;
    const stretches = roots.flatMap(({ ufs, number }) => [
      { name: ufs.slice(0, -1), below: false, number },
      { name: ufs, below: true, number },
    ]);
    for (const { name, below, number } of stretches.sort(byBytes)) {
      if (!below) {
        const isBehind = after === undefined || Buffer.compare(Buffer.from(name), Buffer.from(after)) > 0;
        const entry = name.startsWith(prefix) && isBehind ? this.cache.get(numberedKey(name, number)) : undefined;
        if (entry) yield named(entry, name);
        continue;
      }
      const common = name.startsWith(prefix) ? name : prefix.startsWith(name) ? prefix : undefined;
      if (common === undefined) continue;
      const from = after === undefined ? {} : { after: numberedKey(after, number) };
      for (const entry of this.cache.entries(numberedKey(common, number), from)) {
        yield named(entry, splitKey(entry.path).path);
      }
    }
  }

  /** With the key of its store. A key with a number needs the numbers to be durable; no other has to wait. */
  private keyed(object: NewObject): NewObject | Promise<NewObject> {
    const { path, store, version, jobId, replicas, loadedAtMs } = object;
    const owner = store ?? this.stores.storeOf(path);
    if (owner === undefined) throw new Error(`no store is mounted at ${path}`);
    const keyed = { path: this.stores.keyIn(path, owner), version, jobId, replicas, loadedAtMs };
    return keyed.path === path ? keyed : this.stores.durable().then(() => keyed);
  }
}

function named(entry: CacheEntry, path: string): CacheEntry {
  return entry.path === path ? entry : { ...entry, path };
}

function byBytes(a: { name: string }, b: { name: string }): number {
  return Buffer.compare(Buffer.from(a.name), Buffer.from(b.name));
}
