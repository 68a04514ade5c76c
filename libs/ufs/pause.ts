import { offAbort, onAbort } from '#async';
import { UfsError } from './types.js';

/**
 * Waits so long before an object is asked for again.
 * @param cause why it waits
 * @throws UfsError `Aborted` when the signal fires
 */
export function pause(ms: number, path: string, signal?: AbortSignal, cause?: UfsError): Promise<void> {
  return new Promise((resolve, reject) => {
    const aborted = (): void => {
      clearTimeout(timer);
      reject(new UfsError('Aborted', path, `Aborted: ${path}.`, { cause }));
    };
    const timer = setTimeout(() => {
      if (signal) offAbort(signal, aborted);
      resolve();
    }, ms);
    if (signal?.aborted) aborted();
    else if (signal) onAbort(signal, aborted);
  });
}
