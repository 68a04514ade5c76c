import { z } from 'zod';
import type { LogState } from './log.js';

/**
 * How far somebody outside NATS has seen the log: kept beside each worker's cache, in the standalone data directory, and
 * in every backup. NATS can lose acknowledged writes in a power cut; whoever remembers more than the log holds can say so.
 */
export const logMarkSchema = z.object({ logId: z.string(), sequence: z.number() });
export type LogMark = z.infer<typeof logMarkSchema>;

/** A worker's answer to `log-mark`, asked of all workers by a coordinator before it serves. */
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
 * What a mark says of a log that ends at `lastSequence`:
 * - `agrees`: the log is the one that was seen, or was restored from it on purpose, and goes at least as far;
 * - `behind`: it is that log, and what the mark has seen of it is no longer there;
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

/** A mark, and whose it is. */
export interface Witness {
  /** For people: `worker worker-1 at host:29999`. */
  readonly who: string;
  readonly mark: LogMark;
}

/** The log as it is found. */
export interface LogEnd {
  readonly state: LogState;
  readonly lastSequence: number;
}

export interface Objection {
  readonly verdict: 'behind' | 'foreign';
  readonly witness: Witness;
}

/** What speaks against the log: of all marks that do not agree with it, the one that has seen most. */
export function objectionTo({ state, lastSequence }: LogEnd, witnesses: readonly Witness[]): Objection | undefined {
  let gravest: Objection | undefined;
  for (const witness of witnesses) {
    const verdict = judgeMark(state, lastSequence, witness.mark);
    if (verdict === 'agrees') continue;
    if (!gravest || witness.mark.sequence > gravest.witness.mark.sequence) gravest = { verdict, witness };
  }
  return gravest;
}

/** What was seen by whom, and what there is: half a sentence for operators. */
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
