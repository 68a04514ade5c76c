import { z } from 'zod';
import { jobEvents } from '#contexts/jobs';
import { membershipEvents } from '#contexts/membership';
import { namespaceEvents } from '#contexts/namespace';
import { type EventCatalogue } from '#kernel';

/** The log's own boundary: one event, the first of every log, that gives it an identity. */
export const logBoundary = 'log';

const logFoundedSchema = z.object({ logId: z.string(), cluster: z.string() });
export type LogFounded = { type: 'LogFounded'; data: z.infer<typeof logFoundedSchema> };

const logEvents = {
  LogFounded: { v: 1, description: 'The log began. Another `logId` is another log.', schema: logFoundedSchema },
} as const satisfies EventCatalogue;

/** Every event type this build knows, by the context it belongs to. */
export const eventCatalogues = {
  log: logEvents,
  namespace: namespaceEvents,
  membership: membershipEvents,
  jobs: jobEvents,
} as const satisfies Record<string, EventCatalogue>;

export const allEvents: EventCatalogue = Object.assign({}, ...Object.values(eventCatalogues)) as EventCatalogue;
