import { DomainError } from '#kernel';
import type { WorkBatch } from '../index.js';
import type { BatchOutcome } from './worker-kind.js';

/** Does what the batch's pass does, of what a kind does in each. @throws DomainError Bug for a pass that it does not have */
export async function executePass(
  { kind, pass }: WorkBatch,
  passes: Readonly<Record<string, () => Promise<BatchOutcome>>>,
): Promise<BatchOutcome> {
  if (!Object.hasOwn(passes, pass)) throw new DomainError('Bug', 'foreign-pass', `a ${kind} job has no pass ${pass}`);
  return passes[pass]();
}
