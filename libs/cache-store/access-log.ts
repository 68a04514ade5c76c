import { type IndexBatch } from './index-batch.js';

/**
 * Accesses not yet in the index. Reading is far more frequent than the index can be written, so accesses are kept here
 * and go along with the next write, or about every second; a crash loses that much of the order, nothing else.
 */
export class AccessLog {
  private pending = new Map<string, { tick: number; atMs: number }>();

  constructor(private lastTick: number) {}

  /** A tick greater than all before. */
  nextTick(): number {
    return ++this.lastTick;
  }

  record(path: string): void {
    this.pending.set(path, { tick: this.nextTick(), atMs: Date.now() });
  }

  lastAccessMs(path: string): number | undefined {
    return this.pending.get(path)?.atMs;
  }

  get isEmpty(): boolean {
    return this.pending.size === 0;
  }

  /** Moves the pending accesses into a batch. They are lost if it is not committed, which is no more than a crash does. */
  drainInto(batch: IndexBatch): void {
    const drained = this.pending;
    this.pending = new Map();
    for (const [path, { tick, atMs }] of drained) batch.touch(path, tick, atMs);
  }
}
