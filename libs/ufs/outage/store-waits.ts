import type { StoreOutage } from './outage-policy.js';

/** Who of a piece of work waits for which store at the moment: what is said of it while nothing moves. */
export class StoreWaits {
  private readonly outages = new Set<StoreOutage>();

  /** @returns what ends the wait */
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
