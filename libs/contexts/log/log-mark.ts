import { z } from 'zod';
import type { LogState } from './log.js';

/**
 * How far somebody outside NATS has seen the log: kept beside each worker's cache, in the standalone data directory, and
 * in every backup. NATS can lose acknowledged writes in a power cut; whoever remembers more than the log holds can say so.
 */
export const logMarkSchema = z.object({ logId: z.string(), sequence: z.number() });
export type LogMark = z.infer<typeof logMarkSchema>;

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
