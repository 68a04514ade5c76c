import { UfsError } from '../types.js';
import type { StoreOutage } from './outage-policy.js';

/**
 * The result of waiting. `again`: try again, this was no attempt. `counts`: the store is well, so the failure was the
 * object's own and an attempt. `hopeless`: the outage has lasted longer than the limit.
 */
export type WaitOutcome = 'again' | 'counts' | 'hopeless';

export interface WaitOptions {
  signal?: AbortSignal;
  /** A reader waits for this object: it goes before prefetching. */
  demand?: boolean;
}

/**
 * The store as a whole cannot be used now: the request was not sent, or it failed like all requests. The caller
 * releases what it holds and waits in `settled`. A caller that cannot wait passes the error on: it has the store's own
 * text.
 */
export class StoreWaiting extends UfsError {
  /**
   * @param fault the store's error, for this request or an earlier one
   * @param wasSent false: this request was held back
   * @param outage as it stands now
   * @param maxOutageMs a caller that fails for so long, while others may succeed, gives up
   * @param restMs until the store may be asked again
   */
  constructor(
    readonly fault: UfsError,
    path: string,
    readonly wasSent: boolean,
    readonly outage: StoreOutage,
    readonly maxOutageMs: number,
    readonly restMs: number,
    private readonly wait: (options: WaitOptions) => Promise<WaitOutcome>,
  ) {
    const sentence = wasSent ? fault.message : `The store is not asked now: ${fault.message}`;
    super(fault.code, path, sentence, { cause: fault, blame: 'store', retryAfterMs: restMs });
  }

  /**
   * Resolves when the result is known. @throws UfsError `Aborted` when the signal fires, `Outside` when the mount goes
   */
  settled(options: WaitOptions): Promise<WaitOutcome> {
    return this.wait(options);
  }
}
