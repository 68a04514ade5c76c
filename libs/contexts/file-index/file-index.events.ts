import { z } from 'zod';
import { defineBoundary, type EventCatalogue, type EventOf } from '#kernel';

const changedSchema = z.object({
  files: z.array(z.string()),
  /** How many of them really were added, or removed. */
  entries: z.number(),
});

export const fileIndexEvents = {
  FilesAddedToIndex: { v: 1, description: 'A user added files to the global file index.', schema: changedSchema },
  FilesRemovedFromIndex: { v: 1, description: 'A user removed files from the index.', schema: changedSchema },
} as const satisfies EventCatalogue;

/**
 * The global file index lives where the files live: each worker keeps the part it holds, in the same transactions as
 * its cache, so that it is in step with loading, freeing, eviction and expiry. The log records what users changed.
 */
export const fileIndexBoundary = defineBoundary('file-index', fileIndexEvents);
export type FileIndexEvent = EventOf<typeof fileIndexEvents>;
