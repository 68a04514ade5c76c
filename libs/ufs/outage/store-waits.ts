import type { StoreOutage } from './outage-policy.js';

/** Which stores a piece of work waits for at the moment. Shown while the work makes no progress. */
export class StoreWaits {
  private readonly outages = new Set<StoreOutage>();

  /** @returns the function that ends the wait */
  begin(outage: StoreOutage): () => void {
    const own = { ...outage };
    this.outages.add(own);
    return () => void this.outages.delete(own);
  }

  /** The longest outage that is waited for. */
  get first(): StoreOutage | undefined {
    let first: StoreOutage | undefined;
    for (const outage of this.outages) if (!first || outage.sinceMs < first.sinceMs) first = outage;
    return first;
  }
}
