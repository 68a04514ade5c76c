import { RetriesExhausted, UfsError, withRetries } from '#ufs';
import type { TransferSlot, WorkerPorts } from '#contexts/jobs/kinds';
import { FileError, fileErrorReason } from './batch-file.js';

/**
 * Tries `attempt` until it succeeds or another try cannot help, with full jitter between attempts. Each attempt takes a
 * transfer slot of its own: a file that waits for its next attempt, or for its store, holds no slot.
 * @param prepare waits for what an attempt needs before it takes its slot
 * @throws FileError with the reason and the number of attempts; the signal's reason when aborted
 */
export async function retrying<T>(
  ports: Pick<WorkerPorts, 'withTransferSlot' | 'retry' | 'signal'>,
  attempt: (slot: TransferSlot) => Promise<T>,
  prepare?: () => Promise<void>,
): Promise<T> {
  let attempts = 0;
  const once = async (number: number) => {
    await prepare?.();
    return ports.withTransferSlot(ports.signal, (slot) => {
      ports.signal.throwIfAborted();
      attempts = number;
      return attempt(slot);
    });
  };
  try {
    const { value } = await withRetries(ports.retry, once, { signal: ports.signal });
    return value;
  } catch (error) {
    ports.signal.throwIfAborted();
    const cause = error instanceof RetriesExhausted ? error.cause : error;
    const reason = fileErrorReason(cause);
    if (reason === undefined) throw cause;
    throw new FileError(reason, attempts, cause);
  }
}

export function isUfsError(error: unknown, code: UfsError['code']): boolean {
  return error instanceof UfsError && error.code === code;
}
