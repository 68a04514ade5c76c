/** How to wait for the end of a store's outage. */
export interface OutagePolicy {
  /** Upper bound of the first pause. Doubles while the store keeps failing. */
  basePauseMs: number;
  maxPauseMs: number;
  /** A longer outage counts as a fault of the requested object: files fail, walks end. */
  maxOutageMs: number;
  /** Uniform in [0, 1); default `Math.random`. */
  random?: () => number;
}

/** Why work waits for a mount's store. */
export interface StoreOutage {
  /** Root of the mount: `s3://bucket/`. */
  ufs: string;
  /** Since when, milliseconds since the epoch. */
  sinceMs: number;
  /** One sentence: the store's last error. */
  reason: string;
}

/** The longest pause after a store was given up, so that its return is noticed. */
const maxHopelessPauseMs = 5_000;

/** The pause before the next request: what the store asks for, else exponentially longer; with jitter either way. */
export function pauseMs(
  { basePauseMs, maxPauseMs, maxOutageMs, random = Math.random }: OutagePolicy,
  { level, isHopeless, retryAfterMs }: { level: number; isHopeless: boolean; retryAfterMs: number | undefined },
): number {
  const longest = isHopeless ? Math.min(maxPauseMs, maxHopelessPauseMs) : maxPauseMs;
  // Workers that were told to wait together must not return together.
  if (retryAfterMs !== undefined && retryAfterMs >= basePauseMs) {
    return Math.min(retryAfterMs, maxOutageMs) * (1 + random() / 10);
  }
  return (0.5 + random() / 2) * Math.min(longest, basePauseMs * 2 ** level);
}
