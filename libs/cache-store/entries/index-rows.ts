import { DirectoryChanges } from './directories.js';
import { encodeEntry, encodeEvictionValue, evictionKey, expiryKey, type StoredEntry } from './entry-codec.js';

/** One path before and after the change. The caller computes space and totals from it. */
export interface IndexChange {
  path: string;
  before: StoredEntry | undefined;
  after: StoredEntry | undefined;
}

export const TABLES = ['entries', 'eviction', 'expiry', 'directories', 'fileIndex'] as const;
export type Table = (typeof TABLES)[number];

/** One row to write, or without a value to remove. */
export interface RowWrite {
  table: Table;
  key: Buffer;
  value: Buffer | undefined;
}

/** For rows that have only a key. */
export const NO_VALUE = Buffer.alloc(0);

/** Whether there are bytes: only such entries are evicted and counted. */
export function hasBytes(stored: StoredEntry | undefined): stored is StoredEntry {
  return stored !== undefined && stored.location.kind !== 'none';
}

/** The rows of one changed entry in every order of the index. */
export function* entryRows({ path, before, after }: IndexChange): Iterable<RowWrite> {
  const key = Buffer.from(path, 'utf8');
  yield { table: 'entries', key, value: after && encodeEntry(after) };
  if (hasBytes(before) && !(hasBytes(after) && before.tick === after.tick)) {
    yield { table: 'eviction', key: evictionKey(before.tick), value: undefined };
  }
  if (hasBytes(after)) {
    const value = encodeEvictionValue(key, after.entry.jobId);
    yield { table: 'eviction', key: evictionKey(after.tick), value };
  }
  const [loadedBefore, loadedAfter] = [before?.entry.loadedAtMs, after?.entry.loadedAtMs];
  if (loadedBefore === loadedAfter) return;
  if (loadedBefore !== undefined) yield { table: 'expiry', key: expiryKey(loadedBefore, key), value: undefined };
  if (loadedAfter !== undefined) yield { table: 'expiry', key: expiryKey(loadedAfter, key), value: NO_VALUE };
}

/** What changed entries add to and remove from the directories above them. */
export function directoryChanges(changes: Iterable<IndexChange>): DirectoryChanges {
  const directories = new DirectoryChanges();
  for (const { path, before, after } of changes) {
    if (hasBytes(before)) directories.add(path, -before.entry.sizeBytes, -1);
    if (hasBytes(after)) directories.add(path, after.entry.sizeBytes, 1);
  }
  return directories;
}
