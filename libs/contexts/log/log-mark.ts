import { z } from 'zod';
import type { LogState } from './log.js';

/**
 * How much of the log was seen by a process outside NATS. A mark is kept beside each worker's cache, in the standalone
 * data directory and in every backup. NATS can lose acknowledged writes in a power cut. A mark beyond the end of the
 * log shows such a loss.
 */
export const logMarkSchema = z.object({ logId: z.string(), sequence: z.number() });
export type LogMark = z.infer<typeof logMarkSchema>;

/** A worker's answer to `log-mark`. A coordinator sends this request to all workers before it serves. */
export const logMarkAnswerSchema = z.object({
  workerId: z.string(),
  address: z.string(),
  mark: logMarkSchema.optional(),
});
export type LogMarkAnswer = z.infer<typeof logMarkAnswerSchema>;
/** The verb of that request. */
export const logMarkVerb = 'log-mark';

export const workerWitness = (workerId: string, address: string): string => `worker ${workerId} at ${address}`;

/**
 * Compares a mark with a log that ends at `lastSequence`:
 * - `agrees`: it is the log of the mark and goes at least as far, or it was restored from that log on purpose;
 * - `behind`: it is the log of the mark, but it ends before the mark;
 * - `foreign`: it is another log.
 */
export function judgeMark(
  { logId, ancestors }: LogState,
  lastSequence: number,
  mark: LogMark,
): 'agrees' | 'behind' | 'foreign' {
  if (mark.logId === logId) return mark.sequence <= lastSequence ? 'agrees' : 'behind';
  return ancestors.some((ancestor) => ancestor.logId === mark.logId) ? 'agrees' : 'foreign';
}

/** A mark, and the process that keeps it. */
export interface Witness {
  /** A name for messages: `worker worker-1 at host:29999`. */
  readonly who: string;
  readonly mark: LogMark;
}

/** The log as it is in NATS now. */
export interface LogEnd {
  readonly state: LogState;
  readonly lastSequence: number;
}

export interface Objection {
  readonly verdict: 'behind' | 'foreign';
  readonly witness: Witness;
}

/** Of all marks that do not agree with the log, the one that has seen most; undefined when all agree. */
export function objectionTo({ state, lastSequence }: LogEnd, witnesses: readonly Witness[]): Objection | undefined {
  let gravest: Objection | undefined;
  for (const witness of witnesses) {
    const verdict = judgeMark(state, lastSequence, witness.mark);
    if (verdict === 'agrees') continue;
    if (!gravest || witness.mark.sequence > gravest.witness.mark.sequence) gravest = { verdict, witness };
  }
  return gravest;
}

/** Half a sentence for operators: what the log is, and what the witness saw of it. */
export function describeObjection({ state, lastSequence }: LogEnd, { verdict, witness }: Objection): string {
  const { who, mark } = witness;
  if (verdict === 'behind') {
    return `the log ${mark.logId} ends at sequence ${lastSequence}, but ${who} has seen it up to ${mark.sequence}`;
  }
  const found =
    state.logId === undefined
      ? lastSequence === 0
        ? 'NATS holds an empty log'
        : `NATS holds a log without an identity that ends at sequence ${lastSequence}`
      : `NATS holds the log ${state.logId}, which ends at sequence ${lastSequence}`;
  return `${found}, but ${who} belongs to the log ${mark.logId} and has seen it up to ${mark.sequence}`;
}
