import { fileIndexEvents } from '#contexts/file-index';
import { jobEvents } from '#contexts/jobs';
import { checkpointEvents, logEvents } from '#contexts/log';
import { membershipEvents } from '#contexts/membership';
import { namespaceEvents } from '#contexts/namespace';
import { type EventCatalogue } from '#kernel';

/** All event types that this build knows, by context. */
export const eventCatalogues = {
  namespace: namespaceEvents,
  membership: membershipEvents,
  jobs: jobEvents,
  'file-index': fileIndexEvents,
  log: { ...logEvents, ...checkpointEvents },
} as const satisfies Record<string, EventCatalogue>;

export const allEvents: EventCatalogue = Object.assign({}, ...Object.values(eventCatalogues)) as EventCatalogue;
