import type { WorkBatch } from '#contexts/jobs';
import type { EventStore } from '#jetstream';
import type { BatchOutcome } from '#contexts/jobs/kinds';
import { DomainError } from '#kernel';
import { ownContext, type Recorder } from '#runtime';
import { retryWhile } from '#async';
import type { Logger } from 'pino';
import { settlementOf } from './settlement.js';

/** Room in a message for what surrounds the event's data: envelope, recorded fields, headers. */
const envelopeBytes = 4096;
const retryDelayMs = 1000;

export interface SettleOptions {
  workerId: string;
  store: EventStore;
  recorder: Recorder;
  maxPayloadBytes: () => number;
  logger: Logger;
}

/**
 * Puts a batch's outcome into the log. NATS may be away for long: the same event with the same ids is sent until it is
 * in the log, so this process does not do the work again.
 * @returns its log sequence
 * @throws the signal's reason when aborted; DomainError when the event itself is at fault
 */
export async function settle(
  options: SettleOptions,
  batch: WorkBatch,
  outcome: BatchOutcome,
  signal: AbortSignal,
): Promise<number> {
  const { workerId, store, recorder, maxPayloadBytes, logger } = options;
  const { boundary, dedupeId, event } = settlementOf(batch, workerId, outcome, maxPayloadBytes() - envelopeBytes);
  const events = recorder.record([event], ownContext(`worker:${workerId}`));
  const mayPass = (error: unknown): boolean => {
    if (!(error instanceof DomainError) || error.kind !== 'Unavailable') return false;
    logger.warn({ jobId: batch.jobId, batchId: batch.batchId, reason: error.message }, 'outcome not reported yet');
    return true;
  };
  const append = () => store.appendFact(boundary, dedupeId, events);
  return (await retryWhile(append, { mayPass, pauseMs: retryDelayMs, signal })).sequence;
}
