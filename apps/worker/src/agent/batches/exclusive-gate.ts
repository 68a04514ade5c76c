/** A batch can wait minutes for its store. Other batches wait for it, or queue behind it, at most this long. */
const defaultPatienceMs = 5_000;

/**
 * Runs batches side by side, but a batch suspected of killing the process alone: if it kills the process again, no
 * other batch becomes suspect. Batches enter in the order in which they came. Exclusion ends after a while: a batch
 * that kills the process does so soon, and only the third crash makes a batch be given up.
 */
export class ExclusiveGate {
  private running = 0;
  private alone = false;
  private readonly queue: { alone: boolean; enter: () => void }[] = [];
  /** Since when the first batch in the queue, or the batch that runs alone, keeps the others out. */
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly patienceMs = defaultPatienceMs) {}

  async run<T>(alone: boolean, signal: AbortSignal, run: () => Promise<T>): Promise<T> {
    await this.enter(alone, signal);
    try {
      signal.throwIfAborted();
      return await run();
    } finally {
      this.running--;
      if (alone) this.alone = false;
      this.admit();
    }
  }

  private enter(alone: boolean, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    return new Promise((resolve, reject) => {
      const aborted = () => {
        this.queue.splice(this.queue.indexOf(place), 1);
        this.admit();
        reject(signal.reason as Error);
      };
      const place = {
        alone,
        enter: () => {
          signal.removeEventListener('abort', aborted);
          resolve();
        },
      };
      signal.addEventListener('abort', aborted, { once: true });
      this.queue.push(place);
      this.admit();
    });
  }

  private admit(): void {
    while (this.queue.length > 0) {
      if (this.alone || (this.queue[0].alone && this.running > 0)) {
        this.timer ??= setTimeout(() => this.lose(), this.patienceMs).unref();
        return;
      }
      this.enterFirst();
    }
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  private lose(): void {
    this.timer = undefined;
    this.alone = false;
    if (this.queue.length > 0) this.enterFirst();
    this.admit();
  }

  private enterFirst(): void {
    const first = this.queue.shift()!;
    clearTimeout(this.timer);
    this.timer = undefined;
    this.running++;
    this.alone = first.alone && this.running === 1;
    first.enter();
  }
}
