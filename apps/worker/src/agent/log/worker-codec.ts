import { eventCatalogues } from '#contexts/catalogue';
import { jobEvents } from '#contexts/jobs';
import { EventCodec } from '#jetstream';
import type { EventCatalogue } from '#kernel';

/** Accepts any data. */
const unread = { schema: { parse: (data: unknown) => data } };

/**
 * Events that every worker receives and none reads. They name all batches of a stretch: with many workers, the check of
 * each batch in each worker would be most of what a cluster does.
 */
const { BatchesPlanned, BatchesDispatched, ForgottenBatchesDispatched } = jobEvents;
const notForWorkers: EventCatalogue = {
  BatchesPlanned: { ...BatchesPlanned, ...unread },
  BatchesDispatched: { ...BatchesDispatched, ...unread },
  ForgottenBatchesDispatched: { ...ForgottenBatchesDispatched, ...unread },
};

export function workerCodec(): EventCodec {
  const jobs = { ...eventCatalogues.jobs, ...notForWorkers };
  return new EventCodec(Object.values({ ...eventCatalogues, jobs }));
}
