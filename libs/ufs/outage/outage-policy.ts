/** How an outage of a store is sat out. */
export interface OutagePolicy {
  /** Upper bound of the first pause; doubles while the store goes on failing. */
  basePauseMs: number;
  maxPauseMs: number;
  /** An outage that lasts longer is a fault of what is asked for: files fail, walks end. */
  maxOutageMs: number;
  /** Uniform in [0, 1); default `Math.random`. */
  random?: () => number;
}

/** Why a mount's store is waited for. */
export interface StoreOutage {
  /** Root of the mount: `s3://bucket/`. */
  ufs: string;
  /** Since when, milliseconds since the epoch. */
  sinceMs: number;
  /** One sentence: what the store said last. */
  reason: string;
}
