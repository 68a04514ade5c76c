import { setTimeout as delay } from 'node:timers/promises';
import { describeObjection, objectionTo, type LogEnd, type LogMark, type Objection } from '#contexts/log';
import { DomainError } from '#kernel';

export interface LogAgreementOptions {
  /** Asks the stream's leader. @throws DomainError Unavailable */
  look: () => Promise<LogEnd>;
  /** How far this worker has seen the log; undefined for one that has seen none yet. */
  mark: () => LogMark | undefined;
  signal: AbortSignal;
  /** Called with the reason why the log is refused, once for each reason. */
  refuse: (reason: string) => void;
  /** How long a log that ends too early counts as one whose server is still recovering. Default 10 s. */
  graceMs?: number;
}

const defaultGraceMs = 10_000;
const againMs = 500;

/**
 * Resolves when the log is the one this worker has seen and reaches as far: at once, or when an operator has restored
 * it. Until then the worker must not work for it.
 *
 * @throws the signal's reason
 */
export async function untilLogAgrees(options: LogAgreementOptions): Promise<void> {
  const { signal, refuse, graceMs = defaultGraceMs } = options;
  let behindSince: number | undefined;
  let refused = '';
  for (;;) {
    const found = await look(options);
    signal.throwIfAborted();
    if (found === 'agrees') return;
    if (found !== 'unknown') {
      behindSince ??= performance.now();
      const reason = describeObjection(found.end, found.objection);
      const certain = found.objection.verdict === 'foreign' || performance.now() - behindSince >= graceMs;
      if (certain && reason !== refused) refuse((refused = reason));
    }
    await delay(againMs, undefined, { signal });
  }
}

async function look({
  look,
  mark,
}: LogAgreementOptions): Promise<'agrees' | 'unknown' | { end: LogEnd; objection: Objection }> {
  const seen = mark();
  if (!seen) return 'agrees';
  try {
    const end = await look();
    const objection = objectionTo(end, [{ who: 'this worker', mark: seen }]);
    return objection ? { end, objection } : 'agrees';
  } catch (error) {
    // NATS is away, or does not hold the log (yet): there is nothing to compare.
    if (error instanceof DomainError && error.kind === 'Unavailable') return 'unknown';
    throw error;
  }
}
