import { join } from 'node:path';
import { open, type Database, type RootDatabase } from 'lmdb';
import { decodeUsage, encodeUsage, type DirectoryUsage } from './directories.js';
import {
  decodeEntry,
  decodeEvictionRow,
  decodeExpiryKey,
  evictionKey,
  lookupKey,
  tickOfEvictionKey,
  type EvictionRow,
  type StoredEntry,
} from './entry-codec.js';
import { type IndexBatch } from './index-batch.js';
import { IndexRoom } from './index-room.js';
import {
  directoryChanges,
  entryRows,
  hasBytes,
  NO_VALUE,
  TABLES,
  type IndexChange,
  type RowWrite,
  type Table,
} from './index-rows.js';

export interface ExpiryRow {
  loadedAtMs: number;
  path: string;
  /** The key from which to continue after this row. */
  following: Buffer;
}

type BinaryDatabase = Database<Buffer, Buffer>;
const BINARY = { keyEncoding: 'binary', encoding: 'binary' } as const;
const SCAN_CHUNK = 256;
/** The most removals in one transaction that must succeed on a full disk. */
export const MAX_SHRINKING_CHANGES = 32;
/** Rows per table that such a transaction may change: each entry has several directories above it. */
const SHRINKING_ROWS: Record<Table, number> = {
  entries: MAX_SHRINKING_CHANGES,
  eviction: MAX_SHRINKING_CHANGES,
  expiry: MAX_SHRINKING_CHANGES,
  directories: 16 * MAX_SHRINKING_CHANGES,
  fileIndex: MAX_SHRINKING_CHANGES,
};
const REBUILD_CHUNK = 1000;

/**
 * The ordered, persistent index: path (UTF-8 bytes) → entry; tick → path for eviction; (loadedAtMs, path) for expiry;
 * directory → bytes and objects below it; and the file index. All of them change in the same transactions. Reads are
 * synchronous. A commit is one LMDB transaction, durable when it resolves. One commit at a time (the store's mutex).
 */
export class CacheIndex {
  private readonly root: RootDatabase<Buffer, Buffer>;
  private readonly tables: Record<Table, BinaryDatabase>;
  private indexed: number;
  private readonly room: IndexRoom;

  constructor(directory: string) {
    this.room = new IndexRoom(CacheIndex.dataFile(directory));
    // overlappingSync off: a transaction's promise then means "on disk", which a put must guarantee.
    this.root = open<Buffer, Buffer>({ path: directory, noSubdir: false, overlappingSync: false, ...BINARY });
    const openTable = (name: Table) => [name, this.root.openDB<Buffer, Buffer>(name, BINARY)] as const;
    this.tables = Object.fromEntries(TABLES.map(openTable)) as Record<Table, BinaryDatabase>;
    this.indexed = statsOf(this.tables.fileIndex).entryCount;
  }

  static dataFile(directory: string): string {
    return join(directory, 'data.mdb');
  }

  get(path: string): StoredEntry | undefined {
    const key = lookupKey(path);
    const value = key && this.tables.entries.get(key);
    return value && decodeEntry(path, value);
  }

  /** Every raw entry, in order of path. Only for opening: no write may run meanwhile. */
  *scan(): Iterable<{ key: Buffer; value: Buffer }> {
    yield* this.tables.entries.getRange();
  }

  /** Entries with bytes, least recently used first, from `fromTick` on. */
  evictionRows(fromTick: number, limit: number): EvictionRow[] {
    const range = { start: evictionKey(fromTick), limit };
    return Array.from(this.tables.eviction.getRange(range), ({ key, value }) =>
      decodeEvictionRow(tickOfEvictionKey(key), value),
    );
  }

  /** All entries in the order of loading, from one key up to another. */
  expiryRows(start: Buffer, end: Buffer | undefined, limit: number): ExpiryRow[] {
    const range = { start, limit, ...(end ? { end } : {}) };
    return Array.from(this.tables.expiry.getKeys(range), (key) => ({
      ...decodeExpiryKey(key),
      following: following(key),
    }));
  }

  /** What is below a directory, named as `directoryName` does. */
  directoryUsage(directory: string): DirectoryUsage {
    const key = lookupKey(directory);
    return decodeUsage(key && this.tables.directories.get(key));
  }

  /** Every directory with a count, in order. */
  directoryNames(): Iterable<string> {
    return this.tables.directories.getKeys().map((key) => key.toString('utf8'));
  }

  /** Size of the file index. */
  get indexedCount(): number {
    return this.indexed;
  }

  isIndexed(path: string): boolean {
    const key = lookupKey(path);
    return key !== undefined && this.tables.fileIndex.doesExist(key);
  }

  indexedPaths(prefix: string, after: string | undefined, limit: number): string[] {
    const prefixBytes = Buffer.from(prefix, 'utf8');
    const paths: string[] = [];
    for (const key of this.tables.fileIndex.getKeys({ start: startOf(prefixBytes, after), limit })) {
      if (Buffer.compare(key.subarray(0, prefixBytes.length), prefixBytes) !== 0) break;
      paths.push(key.toString('utf8'));
    }
    return paths;
  }

  /** In byte order, in chunks: a slow consumer must hold no read transaction open (LMDB could then reuse no page). */
  *range(prefix: string, after?: string): Iterable<StoredEntry> {
    const prefixBytes = Buffer.from(prefix, 'utf8');
    let start = startOf(prefixBytes, after);
    for (;;) {
      const rows = [...this.tables.entries.getRange({ start, limit: SCAN_CHUNK })];
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
   * Makes all of a batch visible and durable, or nothing of it. Returns the changes, from which space is settled.
   * `shrinking`: it only removes, and may use the room kept for that.
   * @throws Error with code ENOSPC when there is no room for the index; nothing has changed then.
   */
  async commit(batch: IndexBatch, { shrinking = false } = {}): Promise<IndexChange[]> {
    const changes: IndexChange[] = [];
    for (const [path, after] of batch.changes()) {
      const before = this.get(path);
      if (before ?? after) changes.push({ path, before, after });
    }
    const indexChanges = [...batch.fileIndexChanges()];
    await this.write([...this.rowsOf(changes), ...indexChanges.map(fileIndexRow)], shrinking);
    for (const [, present] of indexChanges) this.indexed += present ? 1 : -1;
    const passing = batch.superseded.flatMap((stored): IndexChange[] => {
      const { path } = stored.entry;
      return [
        { path, before: undefined, after: stored },
        { path, before: stored, after: undefined },
      ];
    });
    return [...changes, ...passing];
  }

  /**
   * Ensures that these entries can be written again, for any new place of their bytes.
   * @throws Error with code ENOSPC when there is no room for the index
   */
  async ensureRoom(entries: readonly StoredEntry[]): Promise<void> {
    const changes = entries.map((stored) => ({ path: stored.entry.path, before: stored, after: stored }));
    await this.makeRoom([...this.rowsOf(changes)], false);
  }

  async close(): Promise<void> {
    await this.root.close();
    await this.room.close();
  }

  /**
   * Rebuilds everything that follows from the entries, for a cache of format 1, which had only these. May run again
   * after a crash.
   */
  async rebuild(): Promise<void> {
    for (const table of ['expiry', 'directories', 'fileIndex'] as const) await this.tables[table].clearAsync();
    this.indexed = 0;
    const add = async (changes: IndexChange[]) => {
      const indexed = changes.filter(({ after }) => hasBytes(after)).map(({ path }) => path);
      const derived = [...this.rowsOf(changes)].filter(({ table }) => table !== 'entries' && table !== 'eviction');
      await this.write([...derived, ...indexed.map((path) => fileIndexRow([path, true]))], false);
      this.indexed += indexed.length;
    };
    const chunk: IndexChange[] = [];
    for (const after of this.range('')) {
      chunk.push({ path: after.entry.path, before: undefined, after });
      if (chunk.length === REBUILD_CHUNK) await add(chunk.splice(0));
    }
    await add(chunk);
  }

  private *rowsOf(changes: IndexChange[]): Iterable<RowWrite> {
    for (const change of changes) yield* entryRows(change);
    for (const [directory, { bytes, objects }] of directoryChanges(changes).totals()) {
      const before = this.directoryUsage(directory);
      const after = { bytes: before.bytes + bytes, objects: before.objects + objects };
      const value = after.objects === 0 ? undefined : encodeUsage(after);
      yield { table: 'directories', key: Buffer.from(directory, 'utf8'), value };
    }
  }

  private async write(rows: RowWrite[], shrinking: boolean): Promise<void> {
    if (rows.length === 0) return;
    await this.makeRoom(rows, shrinking);
    // A failed commit rejects every promise that lmdb returned for it, and there are several. All are awaited: an
    // unhandled rejection would end the process on a full disk.
    const promises = new Set<Promise<unknown>>();
    promises.add(
      this.root.batch(() => {
        for (const { table, key, value } of rows) {
          promises.add(value === undefined ? this.tables[table].remove(key) : this.tables[table].put(key, value));
        }
      }),
    );
    const results = await Promise.allSettled(promises);
    const failed = results.find((result) => result.status === 'rejected');
    if (failed) throw await underlyingError(failed.reason);
  }

  /**
   * For every row, a transaction copies at most the pages from a root to a leaf, each page once. It splits pages only
   * for rows that are put (two for each: with the longest keys, branches split almost as often as leaves). Free pages
   * within the file are ignored. The constant stands for roots and the list of free pages.
   */
  private async makeRoom(rows: RowWrite[], shrinking: boolean): Promise<void> {
    const { pageSize, lastPageNumber } = this.root.getStats() as { pageSize: number; lastPageNumber: number };
    const counts: Record<Table, number> = { entries: 0, eviction: 0, expiry: 0, directories: 0, fileIndex: 0 };
    let puts = 0;
    for (const { table, value } of rows) {
      counts[table]++;
      if (value !== undefined) puts++;
    }
    let copies = 16;
    let shrinkingCopies = 16;
    for (const table of TABLES) {
      const { treeDepth, treeBranchPageCount, treeLeafPageCount } = statsOf(this.tables[table]);
      const pages = treeBranchPageCount + treeLeafPageCount;
      copies += Math.min(counts[table] * treeDepth, pages);
      shrinkingCopies += Math.min(SHRINKING_ROWS[table] * treeDepth, pages);
    }
    await this.room.ensure(
      { pageBytes: pageSize, usedPages: lastPageNumber + 1 },
      copies + (shrinking ? 0 : 2 * puts),
      // Twice, as the next transaction cannot use the pages of this one.
      shrinking ? 0 : 2 * shrinkingCopies,
    );
  }
}

interface TableStats {
  entryCount: number;
  treeDepth: number;
  treeBranchPageCount: number;
  treeLeafPageCount: number;
}

function statsOf(table: BinaryDatabase): TableStats {
  return table.getStats() as TableStats;
}

/** The first key that can start with `prefix` and come after `after`. */
function startOf(prefix: Buffer, after: string | undefined): Buffer {
  const start = prefix.length === 0 ? Buffer.alloc(1) : prefix;
  const afterBytes = after === undefined ? undefined : Buffer.from(after, 'utf8');
  return afterBytes && Buffer.compare(afterBytes, start) >= 0 ? following(afterBytes) : start;
}

function following(key: Buffer): Buffer {
  return Buffer.concat([key, Buffer.alloc(1)]);
}

function fileIndexRow([path, present]: [string, boolean]): RowWrite {
  return { table: 'fileIndex', key: Buffer.from(path, 'utf8'), value: present ? NO_VALUE : undefined };
}

/** lmdb rejects with "Commit failed" and attaches a promise of the cause to it. */
async function underlyingError(reason: unknown): Promise<unknown> {
  const cause = (reason as { commitError?: Promise<unknown> }).commitError;
  if (cause === undefined) return reason;
  const [settled] = await Promise.allSettled([cause]);
  return settled.status === 'rejected' ? settled.reason : reason;
}
