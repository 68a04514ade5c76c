import { createHash } from 'node:crypto';
import { slotBoundary } from '../index.js';

/** The boundary of the slot of a (kind, target) pair. */
export function slotOf(kind: string, target: string): string {
  return slotBoundary.of(kind, createHash('sha256').update(target).digest('hex').slice(0, 32));
}
