import type { CacheEntry, CacheStore } from '#cache-store';
import type { CacheStores } from './cache-stores.js';
import { merged, outside } from './listings.js';
import { numberedKey, schemes, splitKey } from './store-keys.js';

/** A copy with its key in the cache. */
interface Keyed {
  key: string;
  path: string;
  entry: CacheEntry;
}

/**
 * The copies that no mount covers: their path is not mounted, or shows another store. They are never served. They stay
 * in case their mount comes back. The copies of several stores at one path are listed as one.
 */
export class UnmountedCopies {
  constructor(
    private readonly cache: CacheStore,
    private readonly stores: CacheStores,
  ) {}

  get(path: string): CacheEntry | undefined {
    return sumOf(
      path,
      this.keysOf(path).flatMap((key) => this.cache.get(key) ?? []),
    );
  }

  /** In the order of their paths' bytes. */
  *entries(prefix: string, { after, limit = Infinity }: { after?: string; limit?: number } = {}): Iterable<CacheEntry> {
    let left = limit;
    let group: Keyed[] = [];
    for (const copy of left > 0 ? this.copies(prefix, after) : []) {
      if (group[0] && group[0].path !== copy.path) {
        yield sumOf(
          group[0].path,
          group.map(({ entry }) => entry),
        )!;
        if (--left <= 0) return;
        group = [];
      }
      group.push(copy);
    }
    if (group[0])
      yield sumOf(
        group[0].path,
        group.map(({ entry }) => entry),
      )!;
  }

  /** Every store's copy of that path. False: there was none. */
  async delete(path: string): Promise<boolean> {
    return (await Promise.all(this.keysOf(path).map((key) => this.cache.delete(key)))).includes(true);
  }

  /** Removes a copy only while no mount covers it. */
  async remove(key: string): Promise<boolean> {
    return this.stores.coverage.pathOf(key) === undefined && this.cache.delete(key);
  }

  /**
   * Bytes and objects, without reading any copy. The totals follow the index a moment later, so a copy that has just been
   * stored may be missing here for that long. The result is never negative.
   */
  usage(): { bytes: number; objects: number } {
    const all = this.cache.usage('');
    for (const { ufs, number } of this.stores.coverage.roots) {
      const { bytes, objects } = this.cache.usage(numberedKey(ufs, number));
      all.bytes -= bytes;
      all.objects -= objects;
    }
    return { bytes: Math.max(0, all.bytes), objects: Math.max(0, all.objects) };
  }

  *copies(prefix: string, after?: string): Generator<Keyed> {
    const list = (keys: string, from?: string) => this.cache.entries(keys, from === undefined ? {} : { after: from });
    const covering = (key: string) => {
      const { path, number } = splitKey(key);
      const root = this.stores.coverage.rootOf(path);
      return root?.number === number ? numberedKey(root.ufs, number) : undefined;
    };
    for (const { root: scheme, isNumbered } of schemes) {
      const start = scheme.startsWith(prefix) ? scheme : prefix;
      if (!start.startsWith(scheme)) continue;
      const count = isNumbered ? this.stores.highestNumber + 1 : 1;
      const listings = Array.from({ length: count }, (_, number) => {
        const from = after === undefined ? undefined : numberedKey(after, number);
        return outside(list, ({ path: key }) => key, covering, numberedKey(start, number), from);
      });
      for (const entry of merged(listings, ({ path: key }) => splitKey(key).path)) {
        yield { key: entry.path, path: splitKey(entry.path).path, entry };
      }
    }
  }

  private keysOf(path: string): string[] {
    return this.stores.keysOf(path).filter((key) => this.stores.coverage.pathOf(key) === undefined);
  }
}

function sumOf(path: string, entries: readonly CacheEntry[]): CacheEntry | undefined {
  const withBytes = entries.filter(({ metadataOnly }) => !metadataOnly);
  const [first] = withBytes.length > 0 ? withBytes : entries;
  if (first === undefined) return undefined;
  return { ...first, path, sizeBytes: withBytes.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) };
}
