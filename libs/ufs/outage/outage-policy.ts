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

/** Pauses once a store has been given up, so that one that comes back is noticed. */
const maxHopelessPauseMs = 5_000;

/** How long a store is left alone: for as long as it asks, else exponentially longer; with jitter either way. */
export function pauseMs(
  { basePauseMs, maxPauseMs, maxOutageMs, random = Math.random }: OutagePolicy,
  { level, isHopeless, retryAfterMs }: { level: number; isHopeless: boolean; retryAfterMs: number | undefined },
): number {
  const longest = isHopeless ? Math.min(maxPauseMs, maxHopelessPauseMs) : maxPauseMs;
  // Workers that were sent away together must not come back together.
  if (retryAfterMs !== undefined && retryAfterMs >= basePauseMs) {
    return Math.min(retryAfterMs, maxOutageMs) * (1 + random() / 10);
  }
  return (0.5 + random() / 2) * Math.min(longest, basePauseMs * 2 ** level);
}
