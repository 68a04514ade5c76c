import { setImmediate } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { CacheStores } from './cache-stores.js';
import type { UnmountedCopies } from './unmounted-copies.js';

const shortestPauseMs = 250;
const longestPauseMs = 60_000;
const removedAtOnce = 256;
const looksAtOnce = 1000;

/**
 * Removes copies some time after the last mount that covered them was removed. The log says when that was, so a restart
 * does not begin the time again. For a copy without such a mount in the log, the time counts from its last use.
 */
export class UnmountedExpiry {
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> | undefined;
  private stopped = false;

  /** @param keepMs Infinity: they stay until they are evicted or freed */
  constructor(
    private readonly copies: UnmountedCopies,
    private readonly stores: CacheStores,
    private readonly keepMs: number,
    private readonly logger: Logger,
  ) {}

  start(): void {
    if (this.keepMs === Infinity || this.stopped) return;
    this.running = this.run();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.timer);
    await this.running;
  }

  /** Never rejects: what could not be removed is found again. */
  private async run(): Promise<void> {
    let nextMs = longestPauseMs;
    try {
      nextMs = await this.round();
    } catch (error) {
      this.logger.warn({ err: error }, 'copies without a mount could not be removed');
    }
    if (this.stopped) return;
    // A mount may go at any moment.
    const pauseMs = Math.min(nextMs, this.keepMs, longestPauseMs);
    this.timer = setTimeout(() => this.start(), Math.max(pauseMs, shortestPauseMs)).unref();
  }

  /** In how many ms the time of the next one is over; Infinity where there is none. */
  private async round(): Promise<number> {
    let removed = 0;
    let nextMs = Infinity;
    for (let after: string | undefined, done = false; !done && !this.stopped;) {
      const keys: string[] = [];
      let looks = 0;
      let last: string | undefined;
      done = true;
      for (const { key, path, entry } of this.copies.copies('', after)) {
        // Several stores' copies of one path come one after the other, and are looked at together.
        if ((looks >= looksAtOnce || keys.length >= removedAtOnce) && path !== last) {
          after = last;
          done = false;
          break;
        }
        looks++;
        last = path;
        const sinceMs = this.stores.uncoveredSince(key) ?? Math.max(entry.loadedAtMs, entry.lastAccessMs);
        const leftMs = sinceMs + this.keepMs - Date.now();
        if (leftMs <= 0) keys.push(key);
        else nextMs = Math.min(nextMs, leftMs);
      }
      const gone = await Promise.all(keys.map((key) => this.copies.remove(key)));
      removed += gone.filter(Boolean).length;
      await setImmediate();
    }
    if (removed > 0)
      this.logger.info({ copies: removed }, 'copies that no mount covers were removed: their time is over');
    return nextMs;
  }
}
