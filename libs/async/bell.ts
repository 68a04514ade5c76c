import { abortable } from './aborted.js';
import { within } from './within.js';

/** Tells any number of waiters that something has changed. Each checks for itself whether its condition holds now. */
export class Bell {
  private rung: Promise<void> | undefined;
  private ring: (() => void) | undefined;

  /** Resolves at the next ring. */
  wait(): Promise<void> {
    return (this.rung ??= new Promise((resolve) => (this.ring = resolve)));
  }

  sound(): void {
    const { ring } = this;
    this.rung = this.ring = undefined;
    ring?.();
  }

  /**
   * Calls `find` now, after each ring, and once more when the time is over.
   * @returns what was found, or undefined
   * @throws the signal's reason when it is aborted during the wait
   */
  async until<T>(find: () => T | undefined, limitMs: number, signal?: AbortSignal): Promise<T | undefined> {
    const deadlineMs = performance.now() + limitMs;
    for (;;) {
      const found = find();
      const leftMs = deadlineMs - performance.now();
      if (found !== undefined || leftMs <= 0) return found;
      await within(signal ? abortable(this.wait(), signal) : this.wait(), leftMs);
    }
  }
}
