import { UfsError } from '../types.js';

/** About so many of the latest answers count. */
const remembered = 64;
/** A store that refuses fewer than this is well. */
const tolerable = 0.1;

/**
 * The share of the latest requests that a store has refused, as an exponential average. Large stores refuse single
 * requests now and then, with `SlowDown` above all, while they serve all others.
 */
export class LoneRefusals {
  /** Until enough requests have succeeded, a refusal is no exception. */
  private share = 1;

  noteSuccess(): void {
    this.share -= this.share / remembered;
  }

  noteRefusal(): void {
    this.share += (1 - this.share) / remembered;
  }

  /** Whether this refusal is an exception. One with a Retry-After is for all. */
  isLone({ blame, retryAfterMs }: UfsError): boolean {
    return blame === 'store' && retryAfterMs === undefined && this.share <= tolerable;
  }

  forget(): void {
    this.share = 1;
  }

  /** The pause of one refused request. @throws UfsError `Aborted` */
  rest(path: string, pauseMs: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = () => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', end);
        if (signal?.aborted) reject(new UfsError('Aborted', path, `Aborted: ${path}.`));
        else resolve();
      };
      const timer = setTimeout(end, pauseMs);
      if (signal?.aborted) end();
      else signal?.addEventListener('abort', end);
    });
  }
}
