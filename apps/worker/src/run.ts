import 'reflect-metadata';
import { exitWithSupervisor, loadConfig } from '#config';
import { signingKeyUnknown } from '#contexts/trust/gate';
import { DomainError } from '#kernel';
import { exitOnSignals, exitSaying, larderVersion, Refusal } from '#process';
import { startWorker } from './start-worker.js';

/** Shorter than the two seconds after which standalone kills its workers. */
const stopTimeoutMs = 1800;

async function main(): Promise<void> {
  const worker = await startWorker(loadConfig(process.env, 'worker'), larderVersion(), end);
  let stopped: Promise<void> | undefined;
  const stop = () => (stopped ??= worker.stop());
  exitOnSignals(stop, stopTimeoutMs, (error) => {
    worker.logger.error({ err: error }, 'the worker did not stop cleanly');
  });
  exitWithSupervisor(stop, stopTimeoutMs);
  try {
    await worker.ready;
  } catch (error) {
    if (stopped === undefined) throw error;
  }
}

/** Refusals that a restart would not cure. */
const configurationFaults: readonly string[] = ['unknown-event', 'nats-refused', signingKeyUnknown];

/**
 * Prints one sentence where an operator must act, the whole error where a developer must. The exit code tells whether
 * to try again.
 */
function end(error: unknown): never {
  const refused =
    error instanceof Refusal ||
    (error instanceof DomainError && (error.kind === 'Malformed' || configurationFaults.includes(error.code)));
  exitSaying('worker', error, refused);
}

process.on('unhandledRejection', end);
process.on('uncaughtException', end);
main().catch(end);
