export interface Backoff {
  readonly baseMs: number;
  readonly maxMs: number;
  /** A process that lived this long counts as healthy: its next death counts as the first. */
  readonly healthyAfterMs: number;
}

export const restartBackoff: Backoff = { baseMs: 250, maxMs: 5000, healthyAfterMs: 10_000 };

/** Pause before a restart after the given number of deaths in a row (1 for the first): doubles from base to max. */
export function restartDelayMs(deathsInARow: number, { baseMs, maxMs }: Backoff): number {
  return Math.min(maxMs, baseMs * 2 ** Math.max(0, deathsInARow - 1));
}
