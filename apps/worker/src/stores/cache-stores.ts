import type { CacheStore } from '#cache-store';
import { storeOfMount, type Mount } from '#contexts/namespace';
import { setImmediate } from 'node:timers/promises';
import type { Logger } from 'pino';
import { Coverage } from './coverage.js';
import { bucketOf, numberedKey, numberedPrefixes, splitKey } from './store-keys.js';
import { StoresFile, type NumberedStores } from './stores-file.js';

/** How much the clocks of a coordinator (which dates mounts) and of a worker (which dates copies) may differ. */
const clockSkewMs = 60_000;
const removedAtOnce = 256;

/** When the last mount of a store's directory was removed. */
interface FormerRoot {
  ufs: string;
  store: string;
  sinceMs: number;
}

/**
 * Knows the store of each copy and which store is mounted where. It follows the mount table through the whole log. It
 * gives every store that it meets under a bucket's name a number of its own (`store-keys.ts`).
 */
export class CacheStores {
  coverage: Coverage;
  private mounts: readonly Mount[] = [];
  private readonly numbers = new Map<string, string[]>();
  /** The store that is, or was last, mounted under a bucket's name, and since when without another store in between. */
  private readonly current = new Map<string, { store: string; sinceMs: number; others: boolean }>();
  private readonly former = new Map<string, FormerRoot>();
  private adopted = false;
  private unsaved = true;
  private saving: Promise<void> = Promise.resolve();

  private constructor(
    private readonly file: StoresFile,
    /** False for a cache of a version that did not distinguish stores, or whose list of stores is lost. */
    private readonly isKnown: boolean,
    private readonly logger: Logger,
  ) {
    this.coverage = this.look();
  }

  static async open(directory: string, logger: Logger): Promise<CacheStores> {
    const file = new StoresFile(directory);
    let known: NumberedStores | undefined;
    try {
      known = await file.read();
    } catch (error) {
      logger.error({ err: error }, 'stores.json cannot be read: the stores of the copies are determined again');
    }
    const stores = new CacheStores(file, known !== undefined, logger);
    for (const [bucket, list] of Object.entries(known ?? {})) stores.numbers.set(bucket, list);
    return stores;
  }

  /** @param atMs when the mount table took this form */
  follow(mounts: readonly Mount[], atMs: number): void {
    if (mounts === this.mounts) return;
    const before = this.coverage.roots;
    for (const mount of mounts) this.meet(bucketOf(mount.ufs), storeOfMount(mount), atMs);
    this.mounts = mounts;
    this.coverage = this.look();
    const left = new Set(this.coverage.roots.map(rootKey));
    for (const root of before) {
      if (left.has(rootKey(root))) continue;
      const { ufs, store } = root;
      this.former.set(rootKey(root), { ufs, store, sinceMs: atMs });
    }
    if (this.adopted) this.save();
  }

  /** The store that is mounted at a UFS path. */
  storeOf(path: string): string | undefined {
    return this.coverage.rootOf(path)?.store;
  }

  /** The key for a copy of a store that was once mounted there. Its content may still be on its way. */
  keyIn(path: string, store: string): string {
    if (!this.numbers.get(bucketOf(path))?.includes(store)) throw new Error(`${store} was never mounted at ${path}`);
    return numberedKey(path, this.numberOf(path, store));
  }

  /** All keys under which a copy of a path may be. */
  keysOf(path: string): string[] {
    const count = this.numbers.get(bucketOf(path))?.length ?? 0;
    return Array.from({ length: Math.max(1, count) }, (_, number) => numberedKey(path, number));
  }

  /** All numbers that occur in keys. */
  get highestNumber(): number {
    return Math.max(0, ...[...this.numbers.values()].map(({ length }) => length - 1));
  }

  /** The store of a copy; undefined where it was never known. */
  ownerOf(key: string): string | undefined {
    const { path, number } = splitKey(key);
    return this.numbers.get(bucketOf(path))?.[number];
  }

  /**
   * When the last mount that covered a copy was removed, ms since the epoch; undefined where the log has no such mount.
   */
  uncoveredSince(key: string): number | undefined {
    const { path } = splitKey(key);
    const store = this.ownerOf(key);
    let sinceMs: number | undefined;
    for (const root of this.former.values()) {
      const covered = root.store === store && (path.startsWith(root.ufs) || `${path}/` === root.ufs);
      if (covered) sinceMs = Math.max(sinceMs ?? 0, root.sinceMs);
    }
    return sinceMs;
  }

  /**
   * Resolves when the numbers in use are on disk: a copy may have a number only after that. The first store of a bucket
   * needs no file: the log lists its stores in the same order again. @throws the disk's error
   */
  async durable(): Promise<void> {
    await this.saving;
    if (this.unsaved) await this.write();
  }

  /**
   * Call this once, when the whole log has been read and before anything is served. A cache that does not distinguish
   * stores counts as that of the store that is, or was last, mounted under each bucket's name. Where the log has
   * several such stores, copies loaded before that store was mounted are removed: they may be of another one.
   */
  async adopt(cache: CacheStore): Promise<void> {
    if (!this.isKnown) {
      for (const [bucket, { store }] of this.current) {
        const others = (this.numbers.get(bucket) ?? []).filter((other) => other !== store);
        this.numbers.set(bucket, [store, ...others]);
      }
      this.coverage = this.look();
      await this.removeDoubtful(cache);
    }
    this.adopted = true;
    this.save();
    await this.saving;
  }

  private async removeDoubtful(cache: CacheStore): Promise<void> {
    let removed = 0;
    for (const [bucket, { sinceMs, others }] of this.current) {
      if (others) removed += await removeBelow(cache, `${bucket}/`, sinceMs + clockSkewMs);
    }
    // Only the lost list had the stores of these numbers.
    for (const prefix of numberedPrefixes) removed += await removeBelow(cache, prefix, Infinity);
    if (removed > 0)
      this.logger.warn({ copies: removed }, 'copies were removed: another store may have been mounted there');
  }

  private meet(bucket: string, store: string, atMs: number): void {
    const stores = this.numbers.get(bucket);
    if (!stores?.includes(store)) {
      this.numbers.set(bucket, [...(stores ?? []), store]);
      this.unsaved = true;
    }
    const now = this.current.get(bucket);
    if (now?.store !== store) this.current.set(bucket, { store, sinceMs: atMs, others: now !== undefined });
  }

  private numberOf(path: string, store: string): number {
    return Math.max(0, this.numbers.get(bucketOf(path))?.indexOf(store) ?? 0);
  }

  private look(): Coverage {
    return new Coverage(this.mounts, (ufs, store) => this.numberOf(ufs, store));
  }

  /** When it resolves, no write is running. */
  async close(): Promise<void> {
    await this.saving;
  }

  private async write(): Promise<void> {
    this.unsaved = false;
    try {
      await this.file.write(Object.fromEntries(this.numbers));
    } catch (error) {
      this.unsaved = true;
      throw error;
    }
  }

  /** Starts a write. Callers that need it on disk await `durable`. */
  private save(): void {
    this.saving = this.saving
      .then(() => (this.unsaved ? this.write() : undefined))
      .catch((error: unknown) =>
        this.logger.warn({ err: error }, 'stores.json could not be written; it is tried again'),
      );
  }
}

const rootKey = ({ ufs, store }: { ufs: string; store: string }): string => `${store} ${ufs}`;

/** Removes copies with this key prefix that were loaded before a time, together so that they share transactions. */
async function removeBelow(cache: CacheStore, prefix: string, loadedBeforeMs: number): Promise<number> {
  let removed = 0;
  for (let after: string | undefined; ;) {
    const page = [...cache.entries(prefix, { limit: removedAtOnce, ...(after !== undefined && { after }) })];
    const old = page.filter(({ loadedAtMs }) => loadedAtMs < loadedBeforeMs);
    removed += (await Promise.all(old.map(({ path }) => cache.delete(path)))).filter(Boolean).length;
    after = page.at(-1)?.path;
    if (page.length < removedAtOnce) return removed;
    await setImmediate();
  }
}
