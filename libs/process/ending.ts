import type { ChildProcess } from 'node:child_process';
import { EXIT_REFUSED } from './refusal.js';

/**
 * Stops this process in good order at SIGTERM or SIGINT: it exits with 0 when `stop` is done, or with 1 when that
 * fails.
 * @param stop called once per kind of signal
 * @param limitMs after this time it exits all the same, with 0
 * @param failed called with the error of `stop`
 */
export function exitOnSignals(stop: () => Promise<void>, limitMs: number, failed: (error: unknown) => void): void {
  const end = (): void => {
    setTimeout(() => process.exit(0), limitMs).unref();
    stop().then(
      () => process.exit(0),
      (error: unknown) => {
        failed(error);
        process.exit(1);
      },
    );
  };
  process.once('SIGTERM', end);
  process.once('SIGINT', end);
}

/**
 * Writes to standard error why a process ends, and ends it: with `EXIT_REFUSED` if starting it again would not help.
 * @param isExpected the operator must act, and the message is enough. Else the developers must, and need the stack
 */
export function exitSaying(who: string, error: unknown, isExpected: boolean, isRefused = isExpected): never {
  const text = error instanceof Error ? (isExpected ? error.message : (error.stack ?? error.message)) : String(error);
  process.stderr.write(`${who}: ${text}\n`);
  process.exit(isRefused ? EXIT_REFUSED : 1);
}

/**
 * Ends a child process: SIGTERM, and SIGKILL after the limit.
 * @param exited settles when it is gone
 * @returns whether it had to be killed; false if another process had killed it before
 */
export async function endChild(child: ChildProcess, exited: Promise<unknown>, limitMs: number): Promise<boolean> {
  let wasKilled = false;
  child.kill('SIGTERM');
  const timer = setTimeout(() => (wasKilled = child.kill('SIGKILL')), limitMs);
  await exited;
  clearTimeout(timer);
  return wasKilled;
}
