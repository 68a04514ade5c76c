/**
 * Lets batches run beside each other, and one that is under suspicion of killing the process alone: if it does it again,
 * no other batch falls under suspicion with it. Whoever comes first goes first.
 */
export class ExclusiveGate {
  private running = 0;
  private alone = false;
  private readonly queue: { alone: boolean; enter: () => void }[] = [];

  async run<T>(alone: boolean, signal: AbortSignal, run: () => Promise<T>): Promise<T> {
    await this.enter(alone, signal);
    try {
      signal.throwIfAborted();
      return await run();
    } finally {
      this.running--;
      this.alone = false;
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
      const [first] = this.queue;
      if (this.alone || (first.alone && this.running > 0)) return;
      this.queue.shift();
      this.running++;
      this.alone = first.alone;
      first.enter();
    }
  }
}
