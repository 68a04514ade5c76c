import { type CachePolicies } from '../types.js';

export type Tier = -1 | 0 | 1 | 2;
/** In the order in which they are evicted. */
export const TIERS: readonly Tier[] = [-1, 0, 1, 2];
export const HIGHEST_TIER: Tier = 2;

const NO_POLICIES: CachePolicies = { tierOf: () => 1, ttlSecondsOf: () => undefined };

/** The policies in force. `generation` identifies them: results derived from an earlier generation are out of date. */
export class ActivePolicies {
  /** Grows with every change. 0: none were ever set. */
  generation = 0;
  private current = NO_POLICIES;

  constructor(initial?: CachePolicies) {
    if (initial) this.set(initial);
  }

  set(policies: CachePolicies): void {
    this.current = policies;
    this.generation++;
  }

  tierOf(path: string): Tier {
    return this.current.tierOf(path);
  }

  /** Undefined: never expires. */
  ttlMsOf(path: string): number | undefined {
    const seconds = this.current.ttlSecondsOf(path);
    return seconds === undefined || !Number.isFinite(seconds) ? undefined : Math.max(0, Math.round(seconds * 1000));
  }
}
