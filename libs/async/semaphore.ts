/**
 * Limits how many tasks run at once, first come first served. A failed task does not stop those behind it. A waiter
 * whose signal is aborted leaves the queue.
 */
export class Semaphore {
  private readonly waiting = new Set<() => void>();

  /** @param free how many may run at once; 1 makes a mutex */
  constructor(private free: number) {}

  /** @throws what the task throws; the signal's reason when that is aborted before its turn */
  async run<T>(task: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    await this.enter(signal);
    try {
      return await task();
    } finally {
      const [next] = this.waiting;
      if (next) next();
      else this.free++;
    }
  }

  private enter(signal: AbortSignal | undefined): Promise<void> | undefined {
    signal?.throwIfAborted();
    if (this.free > 0) {
      this.free--;
      return undefined;
    }
    return new Promise((resolve, reject) => {
      const leave = () => {
        this.waiting.delete(enter);
        signal?.removeEventListener('abort', aborted);
      };
      const aborted = () => (leave(), reject(signal!.reason as Error));
      const enter = () => (leave(), resolve());
      signal?.addEventListener('abort', aborted);
      this.waiting.add(enter);
    });
  }
}
