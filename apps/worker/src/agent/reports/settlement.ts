import {
  batchBoundary,
  maxReasonLength,
  type BatchSettledData,
  type FileFailure,
  type WorkBatch,
} from '#contexts/jobs';
import type { DomainEvent } from '#kernel';
import type { BatchOutcome } from '#contexts/jobs/kinds';

/** Reasons shrink to these lengths in turn until the message fits. */
const reasonLengths = [maxReasonLength, 120, 40, 0];

export interface Settlement {
  boundary: string;
  /** The same for every attempt to publish it, so that NATS keeps one. */
  dedupeId: string;
  event: DomainEvent<'BatchSettled', BatchSettledData>;
}

/** @param maxBytes what the event's data may take as JSON; counts are exact even where not every failure has room */
export function settlementOf(batch: WorkBatch, workerId: string, outcome: BatchOutcome, maxBytes: number): Settlement {
  const { jobId, batchId, epoch, attempt } = batch;
  const frame = { jobId, batchId, workerId, epoch, attempt, counts: outcome.counts };
  const room = maxBytes - byteLength(frame);
  return {
    boundary: batchBoundary.of(jobId, workerId),
    dedupeId: `settled.${batchId}.${attempt}`,
    event: { type: 'BatchSettled', data: { ...frame, failures: fit(outcome.failures, room) } },
  };
}

function fit(failures: readonly FileFailure[], room: number): FileFailure[] {
  for (const length of reasonLengths) {
    const cut = failures.map((failure) => ({ ...failure, reason: failure.reason.slice(0, length).toWellFormed() }));
    if (byteLength(cut) <= room) return cut;
  }
  // Very long paths: list as many as fit. The counts still include all of them.
  const kept: FileFailure[] = [];
  let used = byteLength([]);
  for (const { path, attempts } of failures) {
    const failure = { path, reason: '', attempts };
    used += byteLength(failure) + 1;
    if (used > room) break;
    kept.push(failure);
  }
  return kept;
}

function byteLength(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value));
}
