import { setImmediate as nextTurn } from 'node:timers/promises';
import { type ActivePolicies } from './active-policies.js';
import { type CacheIndex, type ExpiryRow } from '../entries/cache-index.js';
import { expiryKey } from '../entries/entry-codec.js';
import { type CacheEntry } from '../types.js';

const INTERVAL_MS = 500;
/** Other tasks get a turn after this long. */
const SLICE_MS = 5;
const ROWS_PER_LOOK = 256;
/** Entries per transaction. */
const MAX_EXPIRED = 256;

export type Loaded = Pick<CacheEntry, 'path' | 'loadedAtMs'>;

/**
 * Removes entries whose time has passed. Entries are ordered by loading time, so those with the same time-to-live
 * expire in that order. For each distinct value, a cursor marks where no expired entry is left before it. A round reads
 * only the entries that have reached that age since the last round. New policies make the cursors void. Then all
 * entries are read once, a slice at a time.
 */
export class Expiry {
  /** By time-to-live in ms: the key before which no entry with it is left, but for those the scan has yet to find. */
  private readonly cursors = new Map<number, Buffer>();
  /** Up to where all entries were read under these policies; undefined when done. */
  private scanFrom: Buffer | undefined;
  private generation = 0;
  /** Values whose cursors are still to be moved in this round. */
  private due: number[] = [];
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> | undefined;
  private stopped = false;

  /** `remove` deletes those that are still the same copies and still expired. */
  constructor(
    private readonly index: CacheIndex,
    private readonly policies: ActivePolicies,
    private readonly clock: () => number,
    private readonly remove: (expired: Loaded[]) => Promise<void>,
    private readonly onError: (error: unknown) => void,
  ) {}

  start(): void {
    this.timer = setInterval(() => void this.run(), INTERVAL_MS);
    this.timer.unref();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    clearInterval(this.timer);
    await this.running;
  }

  /** Removes what has expired by now. Joins a running round. */
  run(): Promise<void> {
    if (this.stopped) return Promise.resolve();
    this.running ??= this.round().finally(() => (this.running = undefined));
    return this.running;
  }

  isExpired({ path, loadedAtMs }: Loaded): boolean {
    const ttlMs = this.policies.ttlMsOf(path);
    return ttlMs !== undefined && loadedAtMs + ttlMs <= this.clock();
  }

  /** Call this with every new copy, once it is in the index. */
  noteLoaded({ path, loadedAtMs }: Loaded): void {
    const ttlMs = this.policies.ttlMsOf(path);
    if (ttlMs === undefined) return;
    // Also moves a cursor back, as the clock may have been set back.
    const key = expiryKey(loadedAtMs);
    const cursor = this.cursors.get(ttlMs);
    if (cursor === undefined || Buffer.compare(key, cursor) < 0) this.cursors.set(ttlMs, key);
  }

  private async round(): Promise<void> {
    this.due = [...this.cursors.keys()];
    for (let more = true; more && !this.stopped;) {
      const expired: Loaded[] = [];
      try {
        more = this.collect(expired);
        if (expired.length > 0) await this.remove(expired);
      } catch (error) {
        // The cursors have passed them; the next round must find them again.
        for (const loaded of expired) this.noteLoaded(loaded);
        this.onError(error);
        return;
      }
      await nextTurn();
    }
  }

  /** Collects expired entries for about a slice of time. True when there is more to read. */
  private collect(expired: Loaded[]): boolean {
    if (this.generation !== this.policies.generation) {
      this.generation = this.policies.generation;
      this.cursors.clear();
      this.due = [];
      this.scanFrom = expiryKey(0);
    }
    const endOfSlice = performance.now() + SLICE_MS;
    const now = this.clock();
    for (let ttlMs = this.due.at(-1); ttlMs !== undefined; ttlMs = this.due.at(-1)) {
      if (performance.now() > endOfSlice) return true;
      const visit = (row: ExpiryRow) => {
        if (this.policies.ttlMsOf(row.path) === ttlMs) expired.push(row);
      };
      const start = this.cursors.get(ttlMs) ?? expiryKey(0);
      const { from, done } = this.walk(start, expiryKey(now - ttlMs + 1), visit, expired, endOfSlice);
      this.cursors.set(ttlMs, from);
      if (!done) return true;
      this.due.pop();
    }
    if (this.scanFrom === undefined) return false;
    const visit = (row: ExpiryRow) => {
      if (this.isExpired(row)) expired.push(row);
      else this.noteLoaded(row);
    };
    const { from, done } = this.walk(this.scanFrom, undefined, visit, expired, endOfSlice);
    this.scanFrom = done ? undefined : from;
    return !done;
  }

  /** Reads rows until the end, the end of the slice, or until enough are found. Reads at least one. */
  private walk(
    start: Buffer,
    end: Buffer | undefined,
    visit: (row: ExpiryRow) => void,
    found: readonly unknown[],
    endOfSlice: number,
  ): { from: Buffer; done: boolean } {
    let from = start;
    for (;;) {
      const limit = Math.min(ROWS_PER_LOOK, MAX_EXPIRED - found.length);
      if (limit === 0) return { from, done: false };
      const rows = this.index.expiryRows(from, end, limit);
      rows.forEach(visit);
      from = rows.at(-1)?.following ?? from;
      if (rows.length < limit) return { from, done: true };
      if (performance.now() > endOfSlice) return { from, done: false };
    }
  }
}
