import { statfs } from 'node:fs/promises';
import { type Usage } from './usage.js';

/** Kept free for the index and for the small notes that a worker keeps beside the cache. */
export const KEPT_FREE_BYTES = 1 << 20;
/** While this much more than requested is free, a recent measurement is good enough. */
const EASE_BYTES = 64 << 20;
const FRESH_MS = 1000;

/**
 * What the file system really has left for new objects: its free space minus what running writers were promised and
 * have not written yet. Other programs may use the same disk, so it is measured again and again.
 */
export class DiskRoom {
  private readonly writing = new Set<Promise<unknown>>();
  private measuring: Promise<number> | undefined;
  /** The last measurement, minus what was promised since. */
  private known = { freeBytes: 0, atMs: -Infinity };

  constructor(
    private readonly directory: string,
    private readonly usage: Usage,
  ) {}

  /** Size of the file system; infinite where it gives none. */
  static async sizeOf(directory: string): Promise<{ totalBytes: number; freeBytes: number }> {
    const { blocks, bavail, bsize } = await statfs(directory);
    // Some network file systems report no size.
    return blocks === 0
      ? { totalBytes: Infinity, freeBytes: Infinity }
      : { totalBytes: blocks * bsize, freeBytes: bavail * bsize };
  }

  /**
   * Bytes for new objects; negative when more was promised than there is. Exact unless there are at least
   * `wantedBytes`.
   */
  async freeBytes(wantedBytes: number): Promise<number> {
    const isFresh = performance.now() - this.known.atMs < FRESH_MS;
    if (isFresh && this.known.freeBytes >= wantedBytes + EASE_BYTES) return this.known.freeBytes;
    // Bytes being written at this moment may be counted twice, as promised and as used: then measure once more.
    const free = await this.measure();
    return free >= wantedBytes ? free : this.measureAtRest();
  }

  /** Assigns so many bytes to a writer (they are part of `usage.reservedBytes`). */
  promise(bytes: number): void {
    this.known.freeBytes -= bytes;
  }

  /** Runs a write of promised bytes. It has to move them to `usage.writtenBytes` before it resolves. */
  async write<T>(task: () => Promise<T>): Promise<T> {
    while (this.measuring) await this.measuring.catch(() => undefined);
    const running = task();
    this.writing.add(running);
    try {
      return await running;
    } finally {
      this.writing.delete(running);
    }
  }

  /** Measures while no write runs: writes that would begin wait meanwhile. */
  private async measureAtRest(): Promise<number> {
    this.measuring = Promise.allSettled(this.writing).then(() => this.measure());
    try {
      return await this.measuring;
    } finally {
      this.measuring = undefined;
    }
  }

  private async measure(): Promise<number> {
    const { freeBytes } = await DiskRoom.sizeOf(this.directory);
    const free = freeBytes - this.usage.promisedBytes - KEPT_FREE_BYTES;
    this.known = { freeBytes: free, atMs: performance.now() };
    return free;
  }
}
