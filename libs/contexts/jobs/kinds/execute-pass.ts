import { DomainError } from '#kernel';
import type { WorkBatch } from '../index.js';
import type { BatchOutcome } from './worker-kind.js';

/**
 * Executes a batch with the function that the kind has for the batch's pass. @throws DomainError Bug for a pass that it
 * does not have
 */
export async function executePass(
  { kind, pass }: WorkBatch,
  passes: Readonly<Record<string, () => Promise<BatchOutcome>>>,
): Promise<BatchOutcome> {
  if (!Object.hasOwn(passes, pass)) throw new DomainError('Bug', 'foreign-pass', `a ${kind} job has no pass ${pass}`);
  return passes[pass]();
}
