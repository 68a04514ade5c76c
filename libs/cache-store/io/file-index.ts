import { type CacheIndex } from '../entries/cache-index.js';
import { type Committer } from './committer.js';
import { encodePath } from '../entries/entry-codec.js';
import { type CacheFileIndex } from '../types.js';

/** Paths per transaction. */
const MAX_PATHS = 1000;

/** The set of paths that the index keeps beside its entries. */
export class FileIndex implements CacheFileIndex {
  constructor(
    private readonly index: CacheIndex,
    private readonly committer: Committer,
    private readonly assertOpen: () => void,
  ) {}

  async add(paths: readonly string[]): Promise<boolean[]> {
    for (const path of paths) encodePath(path);
    return this.change(paths, true);
  }

  async remove(paths: readonly string[]): Promise<boolean[]> {
    return this.change(paths, false);
  }

  has(path: string): boolean {
    this.assertOpen();
    return this.index.isIndexed(path);
  }

  list({ prefix = '', after, limit }: { prefix?: string; after?: string; limit: number }): string[] {
    this.assertOpen();
    return limit > 0 ? this.index.indexedPaths(prefix, after, limit) : [];
  }

  count(): number {
    this.assertOpen();
    return this.index.indexedCount;
  }

  private async change(paths: readonly string[], present: boolean): Promise<boolean[]> {
    this.assertOpen();
    const results: boolean[] = [];
    for (let at = 0; at < paths.length; at += MAX_PATHS) {
      results.push(...(await this.committer.setIndexed(paths.slice(at, at + MAX_PATHS), present)));
    }
    return results;
  }
}
