import { setTimeout as delay } from 'node:timers/promises';
import { UfsError } from './types.js';

export interface RetryPolicy {
  /** How often the operation is tried in all, at least 1. */
  attempts: number;
  /** Upper bound of the wait before the second attempt; doubles with every further one. */
  baseDelayMs: number;
  maxDelayMs: number;
}

export interface RetryHooks {
  signal?: AbortSignal;
  /** Uniform in [0, 1); default `Math.random`. */
  random?: () => number;
  /** Called before each wait, with the number of the attempt that has just failed (from 1). */
  onRetry?: (error: UfsError, attempt: number, delayMs: number) => void;
}

/** The last error of an operation that was given up, and how often it was tried. */
export class RetriesExhausted extends Error {
  override readonly name = 'RetriesExhausted';

  constructor(
    readonly attempts: number,
    override readonly cause: UfsError,
  ) {
    super(cause.message, { cause });
  }
}

/**
 * Runs `operation` until it succeeds, fails for good or has been tried `policy.attempts` times. Only UfsErrors that are
 * `retryable` are tried again, after exponential backoff with full jitter (M. Brooker, "Exponential Backoff And
 * Jitter", AWS Architecture Blog, 2015): uniform between 0 and min(maxDelayMs, baseDelayMs * 2^(attempt-1)).
 *
 * @param operation gets the number of the attempt, from 1. A caller that passes an expected version must fetch a fresh
 *   one after `Changed`, else the same error returns.
 * @throws RetriesExhausted for every UfsError, with `cause` and `attempts` (1 when it was not retryable); also for
 *   `Aborted`, at once, when the signal fires during a wait. Other errors are bugs and pass through unchanged.
 */
export async function withRetries<T>(
  policy: RetryPolicy,
  operation: (attempt: number) => Promise<T>,
  hooks: RetryHooks = {},
): Promise<{ value: T; attempts: number }> {
  const { signal, random = Math.random, onRetry } = hooks;
  for (let attempt = 1; ; attempt++) {
    try {
      return { value: await operation(attempt), attempts: attempt };
    } catch (error) {
      if (!(error instanceof UfsError)) throw error;
      if (!error.retryable || attempt >= policy.attempts) throw new RetriesExhausted(attempt, error);
      const delayMs = random() * Math.min(policy.maxDelayMs, policy.baseDelayMs * 2 ** (attempt - 1));
      if (!signal?.aborted) onRetry?.(error, attempt, delayMs);
      await waitUnlessAborted(delayMs, signal, attempt, error);
    }
  }
}

async function waitUnlessAborted(delayMs: number, signal: AbortSignal | undefined, attempt: number, error: UfsError) {
  try {
    await delay(delayMs, undefined, { signal });
  } catch (cause) {
    if (!signal?.aborted) throw cause;
    throw new RetriesExhausted(
      attempt,
      new UfsError('Aborted', error.path, `Aborted: ${error.path}.`, { cause: error }),
    );
  }
}
