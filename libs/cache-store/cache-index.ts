import { join } from 'node:path';
import { open, type Database, type RootDatabase } from 'lmdb';
import {
  decodeEntry,
  decodeEvictionValue,
  encodeEntry,
  encodeEvictionValue,
  evictionKey,
  lookupKey,
  tickOfEvictionKey,
  type StoredEntry,
} from './entry-codec.js';
import { type IndexBatch } from './index-batch.js';
import { IndexRoom } from './index-room.js';

/** What one path was and is: the caller settles space and totals from it. */
export interface IndexChange {
  path: string;
  before: StoredEntry | undefined;
  after: StoredEntry | undefined;
}

export interface EvictionRow {
  tick: number;
  jobTag: number;
  path: string;
}

type BinaryDatabase = Database<Buffer, Buffer>;
const BINARY = { keyEncoding: 'binary', encoding: 'binary' } as const;
const SCAN_CHUNK = 256;
/** What a transaction that has to succeed on a full disk may remove. */
export const MAX_SHRINKING_CHANGES = 32;

/**
 * The ordered, persistent index: path (UTF-8 bytes) → entry, and (tier, tick) → path for eviction. Reads are
 * synchronous; a commit is one LMDB transaction, durable when it resolves. One commit at a time (the store's mutex).
 */
export class CacheIndex {
  private readonly root: RootDatabase<Buffer, Buffer>;
  private readonly entries: BinaryDatabase;
  private readonly eviction: BinaryDatabase;
  private readonly room: IndexRoom;

  constructor(directory: string) {
    this.room = new IndexRoom(CacheIndex.dataFile(directory));
    // overlappingSync off: a transaction's promise then means "on disk", which is what a put acknowledges.
    this.root = open<Buffer, Buffer>({ path: directory, noSubdir: false, overlappingSync: false, ...BINARY });
    this.entries = this.root.openDB<Buffer, Buffer>('entries', BINARY);
    this.eviction = this.root.openDB<Buffer, Buffer>('eviction', BINARY);
  }

  static dataFile(directory: string): string {
    return join(directory, 'data.mdb');
  }

  get(path: string): StoredEntry | undefined {
    const key = lookupKey(path);
    const value = key && this.entries.get(key);
    return value && decodeEntry(path, value);
  }

  /** Every raw entry, in order of path. Only for opening: nothing may be written meanwhile. */
  *scan(): Iterable<{ key: Buffer; value: Buffer }> {
    yield* this.entries.getRange();
  }

  /** The next rows to evict within a tier, least recently used first, from `fromTick` on. */
  evictionRows(tier: number, fromTick: number, limit: number): EvictionRow[] {
    const range = { start: evictionKey(tier, fromTick), end: evictionKey(tier + 1, 0), limit };
    return Array.from(this.eviction.getRange(range), ({ key, value }) => ({
      tick: tickOfEvictionKey(key),
      ...decodeEvictionValue(value),
    }));
  }

  /** Ordered by bytes, in chunks, so that a slow consumer holds no read transaction open (LMDB could reuse no page). */
  *range(prefix: string, after?: string): Iterable<StoredEntry> {
    const prefixBytes = Buffer.from(prefix, 'utf8');
    const afterBytes = after === undefined ? undefined : Buffer.from(after, 'utf8');
    const following = (key: Buffer): Buffer => Buffer.concat([key, Buffer.alloc(1)]);
    let start: Buffer = prefixBytes.length === 0 ? Buffer.alloc(1) : prefixBytes;
    if (afterBytes && Buffer.compare(afterBytes, start) >= 0) start = following(afterBytes);
    for (;;) {
      const rows = [...this.entries.getRange({ start, limit: SCAN_CHUNK })];
      for (const { key, value } of rows) {
        if (Buffer.compare(key.subarray(0, prefixBytes.length), prefixBytes) !== 0) return;
        yield decodeEntry(key.toString('utf8'), value);
      }
      const last = rows.at(-1);
      if (rows.length < SCAN_CHUNK || last === undefined) return;
      start = following(last.key);
    }
  }

  /**
   * Makes all of a batch visible and durable, or nothing of it. Returns what changed, from which space is settled.
   * `shrinking`: it only removes, and may use the room held back for that.
   * @throws Error with code ENOSPC when there is no room for the index; nothing has happened then.
   */
  async commit(batch: IndexBatch, { shrinking = false } = {}): Promise<IndexChange[]> {
    const changes: IndexChange[] = [];
    for (const [path, after] of batch.changes()) {
      const before = this.get(path);
      if (before ?? after) changes.push({ path, before, after });
    }
    if (changes.length > 0) {
      await this.makeRoom(changes.length, shrinking);
      await this.write(changes);
    }
    const passing = batch.superseded.flatMap((stored): IndexChange[] => {
      const { path } = stored.entry;
      return [
        { path, before: undefined, after: stored },
        { path, before: stored, after: undefined },
      ];
    });
    return [...changes, ...passing];
  }

  async close(): Promise<void> {
    await this.root.close();
    await this.room.close();
  }

  private async makeRoom(changes: number, shrinking: boolean): Promise<void> {
    const { pageSize, lastPageNumber } = this.root.getStats() as { pageSize: number; lastPageNumber: number };
    const usedPages = lastPageNumber + 1;
    const trees = [this.entries, this.eviction].map((database) => database.getStats() as { treeDepth: number });
    const depth = (trees[0]?.treeDepth ?? 0) + 2 * (trees[1]?.treeDepth ?? 0);
    // Every change copies at most the pages from a root to a leaf, in three places (the entry, its old and its new row
    // in the eviction order), no page more than once, and splits at most a page in each; pages free within the file
    // are left out of account. The constant stands for roots and the list of free pages.
    const pagesFor = (count: number) => Math.min(count * depth, usedPages) + 4 * count + 16;
    await this.room.ensure(
      { pageBytes: pageSize, usedPages },
      pagesFor(changes),
      shrinking ? 0 : 2 * pagesFor(MAX_SHRINKING_CHANGES),
    );
  }

  private async write(changes: IndexChange[]): Promise<void> {
    // A failed commit rejects every promise handed out for it, and lmdb hands out several: all are awaited, or the
    // process would end by an unhandled rejection on a full disk.
    const promises = new Set<Promise<unknown>>();
    promises.add(
      this.root.batch(() => {
        for (const change of changes) for (const write of this.apply(change)) promises.add(write);
      }),
    );
    const results = await Promise.allSettled(promises);
    const failed = results.find((result) => result.status === 'rejected');
    if (failed) throw await underlyingError(failed.reason);
  }

  private *apply({ path, before, after }: IndexChange): Iterable<Promise<boolean>> {
    const key = Buffer.from(path, 'utf8');
    const evictable = (stored: StoredEntry | undefined): stored is StoredEntry =>
      stored !== undefined && stored.location.kind !== 'none';
    if (evictable(before) && !(evictable(after) && before.tier === after.tier && before.tick === after.tick)) {
      yield this.eviction.remove(evictionKey(before.tier, before.tick));
    }
    if (after === undefined) {
      yield this.entries.remove(key);
      return;
    }
    yield this.entries.put(key, encodeEntry(after));
    if (evictable(after)) {
      yield this.eviction.put(evictionKey(after.tier, after.tick), encodeEvictionValue(key, after.entry.jobId));
    }
  }
}

/** lmdb rejects with "Commit failed" and hangs a promise of the cause on it. */
async function underlyingError(reason: unknown): Promise<unknown> {
  const cause = (reason as { commitError?: Promise<unknown> }).commitError;
  if (cause === undefined) return reason;
  const [settled] = await Promise.allSettled([cause]);
  return settled.status === 'rejected' ? settled.reason : reason;
}
