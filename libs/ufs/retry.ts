import { StoreWaiting, type WaitOptions } from './outage/store-waiting.js';
import type { StoreOutage } from './outage/outage-policy.js';
import { pause } from './pause.js';
import { UfsError } from './types.js';

export interface RetryPolicy {
  /** How often the operation is tried in all, at least 1. */
  attempts: number;
  /** Upper bound of the wait before the second attempt; doubles with every further one. */
  baseDelayMs: number;
  maxDelayMs: number;
  /** Longest wait, from the first such error, for a store that fails as a whole. Default: the limit of an outage. */
  maxStoreWaitMs?: number;
  /** A reader waits for this object. */
  demand?: boolean;
  /** Called when a wait for the store begins. The returned function is called when it ends. */
  onStoreWait?: (outage: StoreOutage) => () => void;
}

export interface RetryHooks {
  signal?: AbortSignal;
  /** Uniform in [0, 1); default `Math.random`. */
  random?: () => number;
  /** Called before each wait, with the number of the attempt that has just failed (from 1). */
  onRetry?: (error: UfsError, attempt: number, delayMs: number) => void;
}

/** The last error of an operation that was given up, and the number of attempts. */
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
 * A store that cannot be asked at all (`StoreWaiting`) is waited for without an attempt being counted.
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
  let patience: StorePatience | undefined;
  for (let attempt = 1; ;) {
    try {
      return { value: await operation(attempt), attempts: attempt };
    } catch (error) {
      if (!(error instanceof UfsError)) throw error;
      if (error instanceof StoreWaiting) {
        patience ??= new StorePatience(policy, signal);
        if ((await patience.wait(error, attempt)) === 'again') continue;
      }
      const fault = error instanceof StoreWaiting ? error.fault : error;
      if (!fault.retryable || attempt >= policy.attempts) throw new RetriesExhausted(attempt, fault);
      const delayMs = random() * Math.min(policy.maxDelayMs, policy.baseDelayMs * 2 ** (attempt - 1));
      if (!signal?.aborted) onRetry?.(fault, attempt, delayMs);
      await pause(delayMs, fault.path, signal, fault).catch((aborted: UfsError) => {
        throw new RetriesExhausted(attempt, aborted);
      });
      attempt++;
    }
  }
}

/**
 * How long one operation waits for its store. Waiting is no attempt: an outage of the store is not the object's fault.
 */
class StorePatience {
  /** When the first wait began. */
  private beganMs: number | undefined;
  private firstFailureMs: number | undefined;

  constructor(
    private readonly policy: RetryPolicy,
    private readonly signal: AbortSignal | undefined,
  ) {}

  /** @throws RetriesExhausted when the outage, or this wait, has lasted too long */
  async wait(error: StoreWaiting, attempt: number): Promise<'again' | 'counts'> {
    const nowMs = performance.now();
    this.beganMs ??= nowMs;
    if (error.wasSent) this.firstFailureMs ??= nowMs;
    const failsForMs = error.wasSent ? nowMs - this.firstFailureMs! : 0;
    const leftMs = (this.policy.maxStoreWaitMs ?? Infinity) - (nowMs - this.beganMs);
    if (leftMs <= 0 || error.restMs > leftMs || failsForMs > error.maxOutageMs) throw hopeless(error, attempt);
    const ended = this.policy.onStoreWait?.(error.outage);
    try {
      const outcome = await this.settled(error, leftMs);
      if (outcome === 'hopeless') throw hopeless(error, attempt);
      return outcome;
    } catch (cause) {
      throw cause instanceof UfsError ? new RetriesExhausted(attempt, cause) : cause;
    } finally {
      ended?.();
    }
  }

  private async settled(error: StoreWaiting, leftMs: number) {
    const { signal } = this;
    const options: WaitOptions = { signal, demand: this.policy.demand };
    if (leftMs === Infinity) return error.settled(options);
    const late = AbortSignal.timeout(Math.ceil(leftMs));
    const either = signal ? AbortSignal.any([signal, late]) : late;
    try {
      return await error.settled({ ...options, signal: either });
    } catch (cause) {
      if (late.aborted && !signal?.aborted) return 'hopeless';
      throw cause;
    }
  }
}

/** The error keeps its information about the store: the next callers get the same answer. */
const hopeless = (error: StoreWaiting, attempt: number) => new RetriesExhausted(attempt, error);
