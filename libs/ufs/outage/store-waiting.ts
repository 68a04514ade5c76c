import { UfsError } from '../types.js';
import type { StoreOutage } from './outage-policy.js';

/**
 * What came of waiting. `again`: ask again, it was no attempt. `counts`: the store is well, so the failure was the
 * object's own and an attempt. `hopeless`: the store has failed for as long as an outage is sat out.
 */
export type WaitOutcome = 'again' | 'counts' | 'hopeless';

export interface WaitOptions {
  signal?: AbortSignal;
  /** Somebody waits for this very object: goes before what is fetched ahead. */
  demand?: boolean;
}

/**
 * The store as a whole cannot be asked for now: the request was not sent, or it met what all requests meet. Who holds
 * anything lets go of it and waits in `settled`; who cannot wait passes the error on, which is what the store said.
 */
export class StoreWaiting extends UfsError {
  /**
   * @param fault what the store said, about this request or an earlier one
   * @param wasSent false: this request was held back
   * @param outage as it stands now
   * @param maxOutageMs who fails for so long, while others may succeed, gives up
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

  /** Resolves when it is known what to do. @throws UfsError `Aborted` when the signal fires, `Outside` when the mount goes */
  settled(options: WaitOptions): Promise<WaitOutcome> {
    return this.wait(options);
  }
}
