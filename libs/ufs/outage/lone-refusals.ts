import type { UfsError } from '../types.js';

/** About so many of the latest answers count. */
const remembered = 64;
/** A store that refuses fewer than this is well. */
const tolerable = 0.1;
/** Of a store of which nothing is known: the third refusal in a row is too much. */
const atFirst = 0.07;

/**
 * The share of the latest requests that a store has refused, as an exponential average. Large stores refuse single
 * requests now and then, with `SlowDown` above all, while they serve all others.
 */
export class LoneRefusals {
  private share = atFirst;

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

  /** The store was away: until many requests have succeeded, a refusal is no exception. */
  forget(): void {
    this.share = 1;
  }
}
