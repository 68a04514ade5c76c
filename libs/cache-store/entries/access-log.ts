import { type IndexBatch } from './index-batch.js';

/** Bounds the size of an index transaction. */
const MAX_DRAINED = 256;

/**
 * Accesses that are not in the index yet. Reads are far more frequent than index writes can be. So accesses are kept
 * here and written with the next write, or about every second. A crash loses only this much of the order.
 */
export class AccessLog {
  private readonly pending = new Map<string, { tick: number; atMs: number }>();

  constructor(
    private lastTick: number,
    private readonly clock: () => number,
  ) {}

  /** A tick greater than all before. */
  nextTick(): number {
    return ++this.lastTick;
  }

  record(path: string): void {
    this.pending.set(path, { tick: this.nextTick(), atMs: this.clock() });
  }

  lastAccessMs(path: string): number | undefined {
    return this.pending.get(path)?.atMs;
  }

  get isEmpty(): boolean {
    return this.pending.size === 0;
  }

  /** Moves pending accesses into a batch, some at a time. They are lost if the batch fails, as they are in a crash. */
  drainInto(batch: IndexBatch): void {
    let room = MAX_DRAINED;
    for (const [path, { tick, atMs }] of this.pending) {
      if (room-- === 0) return;
      this.pending.delete(path);
      batch.touch(path, tick, atMs);
    }
  }
}
