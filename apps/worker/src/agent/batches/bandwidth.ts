import type { JobRate } from '../log/job-states.js';

/** Unused allowance of an idle job is kept for this long: enough to bridge timer jitter, too little for a burst. */
const keptAllowanceMs = 100;

/**
 * A token bucket that starts empty. A caller pays for bytes before it moves them, or right after when their number is
 * not known before. So the average rate holds from the first second on. Requests are served in order, each as a whole.
 */
export class BandwidthLimiter {
  private tokens = 0;
  private refilledAtMs: number;
  private timer: NodeJS.Timeout | undefined;
  private readonly queue: { bytes: number; grant: () => void }[] = [];

  /**
   * @param bytesPerSecond 0 = unlimited
   * @param nowMs a monotonic clock
   */
  constructor(
    private bytesPerSecond: number,
    private readonly nowMs: () => number = () => performance.now(),
  ) {
    this.refilledAtMs = nowMs();
  }

  get limited(): boolean {
    return this.bytesPerSecond > 0;
  }

  /** Takes effect at once, also for waiting requests. */
  setRate(bytesPerSecond: number): void {
    this.refill();
    this.bytesPerSecond = bytesPerSecond;
    this.serve();
  }

  pay(bytes: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.bytesPerSecond === 0 || bytes <= 0) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const aborted = () => {
        this.queue.splice(this.queue.indexOf(request), 1);
        this.serve();
        reject(signal.reason as Error);
      };
      const request = {
        bytes,
        grant: () => {
          signal.removeEventListener('abort', aborted);
          resolve();
        },
      };
      signal.addEventListener('abort', aborted, { once: true });
      this.refill();
      this.queue.push(request);
      this.serve();
    });
  }

  private refill(): void {
    const nowMs = this.nowMs();
    this.tokens += ((nowMs - this.refilledAtMs) / 1000) * this.bytesPerSecond;
    if (this.queue.length === 0) {
      this.tokens = Math.min(this.tokens, (keptAllowanceMs / 1000) * this.bytesPerSecond);
    }
    this.refilledAtMs = nowMs;
  }

  private serve(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.refill();
    while (this.queue.length > 0) {
      const [next] = this.queue;
      const missing = next.bytes - this.tokens;
      if (this.bytesPerSecond > 0 && missing > 0) {
        // setTimeout counts in whole milliseconds up to 2^31.
        const waitMs = Math.min(Math.ceil((missing / this.bytesPerSecond) * 1000), 2 ** 31 - 1);
        this.timer = setTimeout(() => this.serve(), waitMs);
        return;
      }
      this.queue.shift();
      this.tokens = Math.max(this.tokens - next.bytes, 0);
      next.grant();
    }
  }
}

/** One limiter per job that has batches in hand. */
export class JobBandwidths {
  private readonly limiters = new Map<string, { limiter: BandwidthLimiter; users: number; asOf: number }>();

  /**
   * Each batch calls this when it starts, and calls the returned function when it ends. Batches can arrive in another
   * order than they were sent in: a rate older than the one in force changes nothing.
   */
  enter(jobId: string, { bytesPerSecond, asOf }: JobRate): () => void {
    const entry = this.limiters.get(jobId) ?? { limiter: new BandwidthLimiter(bytesPerSecond), users: 0, asOf };
    this.limiters.set(jobId, entry);
    this.retune(jobId, { bytesPerSecond, asOf });
    entry.users++;
    return () => {
      if (--entry.users === 0) this.limiters.delete(jobId);
    };
  }

  retune(jobId: string, { bytesPerSecond, asOf }: JobRate): void {
    const entry = this.limiters.get(jobId);
    if (!entry || asOf < entry.asOf) return;
    entry.asOf = asOf;
    entry.limiter.setRate(bytesPerSecond);
  }

  isLimited(jobId: string): boolean {
    return this.limiters.get(jobId)?.limiter.limited === true;
  }

  async pay(jobId: string, bytes: number, signal: AbortSignal): Promise<void> {
    await this.limiters.get(jobId)?.limiter.pay(bytes, signal);
  }
}
