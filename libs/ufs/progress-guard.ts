import { offAbort, onAbort } from '#async';
import { UfsError } from './types.js';

/**
 * Ends an operation that cannot be interrupted itself (a file system call in the thread pool) when the caller aborts,
 * or when it has made no progress for `idleTimeoutMs`. The operation continues in the background and must release what
 * it holds in its own `finally`.
 */
export class ProgressGuard {
  private readonly stopped: Promise<never>;
  private readonly timer: NodeJS.Timeout;
  private readonly onAbort = (): void => this.stop(new UfsError('Aborted', this.path, `Aborted: ${this.path}.`));
  private reject!: (error: UfsError) => void;
  private failure: UfsError | undefined;

  constructor(
    private readonly path: string,
    idleTimeoutMs: number,
    private readonly signal?: AbortSignal,
  ) {
    this.stopped = new Promise<never>((_, reject) => (this.reject = reject));
    // The rejection reaches the caller through `run`. Between two runs it has no listener.
    this.stopped.catch(() => undefined);
    this.timer = setTimeout(() => this.stop(timedOut(path, idleTimeoutMs)), idleTimeoutMs);
    if (signal?.aborted) this.onAbort();
    else if (signal) onAbort(signal, this.onAbort);
  }

  /** Settles as `operation` does, or throws UfsError `Aborted` or `Timeout`, whichever comes first. */
  async run<T>(operation: () => Promise<T>): Promise<T> {
    this.beat();
    return await Promise.race([operation(), this.stopped]);
  }

  /** Reports progress: restarts the idle time. Throws when the operation has already been given up. */
  beat(): void {
    if (this.failure !== undefined) throw this.failure;
    this.timer.refresh();
  }

  /** Must be called when the operation is over. */
  dispose(): void {
    clearTimeout(this.timer);
    if (this.signal) offAbort(this.signal, this.onAbort);
  }

  private stop(error: UfsError): void {
    this.failure ??= error;
    this.reject(this.failure);
    this.dispose();
  }
}

function timedOut(path: string, idleTimeoutMs: number): UfsError {
  return new UfsError('Timeout', path, `No progress for ${idleTimeoutMs} ms: ${path}.`, { blame: 'unclear' });
}

/** Runs one operation under a guard of its own. */
export async function guarded<T>(
  path: string,
  idleTimeoutMs: number,
  signal: AbortSignal | undefined,
  operation: (guard: ProgressGuard) => Promise<T>,
): Promise<T> {
  const guard = new ProgressGuard(path, idleTimeoutMs, signal);
  try {
    return await guard.run(() => operation(guard));
  } finally {
    guard.dispose();
  }
}
