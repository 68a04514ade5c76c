import type { Pass } from './job.events.js';
import type { BatchInFlight, JobRecord } from './jobs.view.js';

/**
 * The next actions of an owner for its job: pure, decided from the views. A batch is published before the event that
 * records it is appended. So a crash between the two repeats a publish and never loses one. The batch's id makes the
 * repeat harmless.
 */
export type JobAction =
  | { type: 'Dispatch'; reason: 'worker-lost' | 'resumed'; batches: BatchInFlight[] }
  | { type: 'Park'; batch: BatchInFlight }
  | { type: 'Plan' }
  | { type: 'StartPass'; pass: Pass }
  | { type: 'Finish' }
  | { type: 'Wait'; for: 'workers' | 'batches' };

export interface JobWorld {
  /** Ids of the workers on the ring. */
  ring: readonly string[];
  /** Batches planned ahead, per worker and for all jobs of the owner together. */
  batchWindow: number;
  /** Number of the owner's jobs, this one included. */
  jobs: number;
  /** Batches in flight of its other jobs. */
  ofOthers: number;
  /** A batch is given up when this many workers were lost while they had it: the batch itself may crash them. */
  maxLosses: number;
  /** The passes of this job, in order. */
  passes: readonly Pass[];
  /** Whether another worker can do the batches of a lost one. */
  movable: boolean;
}

/** Bounded so that one event stays small. A dispatch also reads back every list. */
export const dispatchAtOnce = 64;

export function nextAction(record: JobRecord, world: JobWorld): JobAction {
  const inFlight = Object.values(record.inFlight);
  const onRing = new Set(world.ring);
  const lost = inFlight.filter((batch) => !batch.withdrawn && !onRing.has(batch.workerId));
  const hopeless = lost.find((batch) => !world.movable || batch.losses + 1 >= world.maxLosses);
  if (hopeless) return { type: 'Park', batch: hopeless };
  if (onRing.size > 0) {
    const withdrawn = inFlight.filter((batch) => batch.withdrawn);
    if (withdrawn.length > 0) {
      return { type: 'Dispatch', reason: 'resumed', batches: withdrawn.slice(0, dispatchAtOnce) };
    }
    if (lost.length > 0) return { type: 'Dispatch', reason: 'worker-lost', batches: lost.slice(0, dispatchAtOnce) };
  }
  if (!record.state.sourceDone) {
    if (onRing.size === 0) return { type: 'Wait', for: 'workers' };
    return hasRoom(inFlight.length, world) ? { type: 'Plan' } : { type: 'Wait', for: 'batches' };
  }
  if (inFlight.length > 0) return { type: 'Wait', for: onRing.size === 0 ? 'workers' : 'batches' };
  const next = world.passes[world.passes.indexOf(record.state.pass) + 1];
  return next === undefined || record.state.sourceError !== undefined
    ? { type: 'Finish' }
    : { type: 'StartPass', pass: next };
}

/**
 * Whether to plan on: while the queues of the workers are not full. When other jobs have filled them, a job still gets its
 * share, one batch at least. Without the first rule, jobs that only wait would take the room of the others. Without the
 * second, a large job would keep a small one from beginning.
 */
export function hasRoom(
  inFlight: number,
  { ring, batchWindow, jobs, ofOthers }: Pick<JobWorld, 'ring' | 'batchWindow' | 'jobs' | 'ofOthers'>,
): boolean {
  const window = batchWindow * ring.length;
  return inFlight + ofOthers < window || inFlight < Math.max(1, window / jobs);
}
