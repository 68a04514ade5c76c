import { unreachable } from '#kernel';
import type { BatchInFlight, JobRecord } from './jobs.view.js';

/**
 * What an owner does next for its job: pure, decided from what the views show. Crash order: work is published before
 * the event that records it, so a crash between the two repeats a publish and never loses one; the batch's id makes
 * the repeat harmless.
 */
export type JobAction =
  | { type: 'Dispatch'; reason: 'worker-lost' | 'resumed'; batches: BatchInFlight[] }
  | { type: 'Park'; batch: BatchInFlight }
  | { type: 'Plan' }
  | { type: 'StartVerification' }
  | { type: 'Finish' }
  | { type: 'Wait'; for: 'workers' | 'batches' };

export interface JobWorld {
  /** Ids of the workers on the ring. */
  ring: readonly string[];
  /** Batches planned ahead, per worker. */
  batchWindow: number;
  /** So many workers may be lost with a batch in hand before the batch itself is suspected. */
  maxDispatches: number;
  /** Whether the job wants its second pass. */
  verify: boolean;
}

/** A dispatch reads every list back: bounded so that one event stays small. */
const dispatchAtOnce = 64;

export function nextAction(record: JobRecord, world: JobWorld): JobAction {
  const inFlight = Object.values(record.inFlight);
  const onRing = new Set(world.ring);
  const lost = inFlight.filter((batch) => !batch.withdrawn && !onRing.has(batch.workerId));
  const suspect = lost.find((batch) => batch.attempt >= world.maxDispatches);
  if (suspect) return { type: 'Park', batch: suspect };
  if (onRing.size > 0) {
    const withdrawn = inFlight.filter((batch) => batch.withdrawn);
    if (withdrawn.length > 0) {
      return { type: 'Dispatch', reason: 'resumed', batches: withdrawn.slice(0, dispatchAtOnce) };
    }
    if (lost.length > 0) return { type: 'Dispatch', reason: 'worker-lost', batches: lost.slice(0, dispatchAtOnce) };
  }
  if (!record.state.sourceDone) {
    if (onRing.size === 0) return { type: 'Wait', for: 'workers' };
    return inFlight.length < world.batchWindow * onRing.size ? { type: 'Plan' } : { type: 'Wait', for: 'batches' };
  }
  if (inFlight.length > 0) return { type: 'Wait', for: onRing.size === 0 ? 'workers' : 'batches' };
  switch (record.state.pass) {
    case 'load':
      return world.verify && record.state.sourceError === undefined
        ? { type: 'StartVerification' }
        : { type: 'Finish' };
    case 'verify':
      return { type: 'Finish' };
    default:
      return unreachable(record.state.pass);
  }
}
