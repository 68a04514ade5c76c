import type { ChildProcess } from 'node:child_process';
import { EXIT_REFUSED } from './refusal.js';

/**
 * Stops this process in good order at SIGTERM or SIGINT: it exits with 0 when `stop` is done, or with 1 when that fails.
 * @param stop called once per kind of signal
 * @param limitMs then it exits all the same, with 0
 * @param failed told why `stop` failed
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
 * Says on standard error why a process ends, and ends it, with `EXIT_REFUSED` where starting it again would not help.
 * @param isExpected an operator must act: the message is enough. Else we must, and the stack is told
 */
export function exitSaying(who: string, error: unknown, isExpected: boolean, isRefused = isExpected): never {
  const text = error instanceof Error ? (isExpected ? error.message : (error.stack ?? error.message)) : String(error);
  process.stderr.write(`${who}: ${text}\n`);
  process.exit(isRefused ? EXIT_REFUSED : 1);
}

/**
 * Ends a child process: SIGTERM, and SIGKILL after the limit.
 * @param exited settles when it is gone
 * @returns whether it had to be killed; not where somebody else had killed it before
 */
export async function endChild(child: ChildProcess, exited: Promise<unknown>, limitMs: number): Promise<boolean> {
  let wasKilled = false;
  child.kill('SIGTERM');
  const timer = setTimeout(() => (wasKilled = child.kill('SIGKILL')), limitMs);
  await exited;
  clearTimeout(timer);
  return wasKilled;
}
