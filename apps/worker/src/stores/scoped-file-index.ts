import type { CacheFileIndex } from '#cache-store';
import type { CacheStores } from './cache-stores.js';
import { merged, outside, paged } from './listings.js';
import { numberedKey, schemes, splitKey } from './store-keys.js';

const pageSize = 256;

/**
 * The file index as the mounts of the moment cover it: below a mount only the names of its store. Names outside every
 * mount belong to users and are listed for every store.
 */
export class ScopedFileIndex implements CacheFileIndex {
  constructor(
    private readonly index: CacheFileIndex,
    private readonly stores: CacheStores,
  ) {}

  add(paths: readonly string[]): Promise<boolean[]> {
    return this.index.add(
      paths.map((path) => this.keysOf(path).find((key) => this.index.has(key)) ?? this.ownKey(path)),
    );
  }

  async remove(paths: readonly string[]): Promise<boolean[]> {
    const keys = paths.map((path) => this.keysOf(path));
    const removed = (await this.index.remove(keys.flat())).values();
    return keys.map((some) => some.map(() => removed.next().value === true).includes(true));
  }

  has(path: string): boolean {
    return this.keysOf(path).some((key) => this.index.has(key));
  }

  list({ prefix = '', after, limit }: { prefix?: string; after?: string; limit: number }): string[] {
    const paths: string[] = [];
    let last: string | undefined;
    for (const path of limit > 0 ? this.paths(prefix, after) : []) {
      if (path === last) continue;
      last = path;
      if (paths.push(path) >= limit) break;
    }
    return paths;
  }

  count(): number {
    return this.index.count();
  }

  private *paths(prefix: string, after: string | undefined): Iterable<string> {
    const { coverage } = this.stores;
    const list = paged((keys, from) => this.index.list({ prefix: keys, after: from, limit: pageSize }), pageSize);
    const numbers = Array.from({ length: this.stores.highestNumber + 1 }, (_, number) => number);
    for (const { root: scheme, isNumbered } of schemes) {
      const start = scheme.startsWith(prefix) ? scheme : prefix;
      if (!start.startsWith(scheme)) continue;
      // For each number, the names that no mount of another store covers.
      const listings = numbers.map((number) => {
        const foreign = (key: string) => {
          const root = coverage.rootOf(splitKey(key).path);
          return root && root.number !== number ? numberedKey(root.ufs, number) : undefined;
        };
        const from = after === undefined ? undefined : numberedKey(after, number);
        return outside(list, (key) => key, foreign, numberedKey(start, number), from);
      });
      const some = isNumbered ? listings : listings.slice(0, 1);
      for (const key of merged(some, (one) => splitKey(one).path)) yield splitKey(key).path;
    }
  }

  private ownKey(path: string): string {
    return this.stores.coverage.keyOf(path) ?? path;
  }

  private keysOf(path: string): string[] {
    const key = this.stores.coverage.keyOf(path);
    return key === undefined ? this.stores.keysOf(path) : [key];
  }
}
