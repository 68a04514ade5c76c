import { pause } from './pause.js';

export interface Retrying {
  /** Called with each failure. @returns whether to ask again */
  readonly mayPass: (error: unknown) => boolean;
  /** Pause between a failure and the next question. */
  readonly pauseMs: number;
  readonly signal?: AbortSignal;
}

/**
 * Asks until there is an answer, or a failure that will not pass by itself.
 * @throws that failure; the signal's reason
 */
export async function retryWhile<T>(ask: () => Promise<T>, { mayPass, pauseMs, signal }: Retrying): Promise<T> {
  for (;;) {
    signal?.throwIfAborted();
    try {
      return await ask();
    } catch (error) {
      signal?.throwIfAborted();
      if (!mayPass(error)) throw error;
      await pause(pauseMs, signal);
    }
  }
}

/**
 * Calls `look` again and again until it returns something other than undefined or false. For changes without a
 * notification.
 * @throws what `look` throws; the signal's reason when it is aborted during a pause
 */
export async function until<T>(
  look: () => Promise<T | undefined | false> | T | undefined | false,
  everyMs = 10,
  signal?: AbortSignal,
): Promise<T> {
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    await pause(everyMs, signal);
  }
}
