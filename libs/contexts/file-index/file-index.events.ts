import { z } from 'zod';
import { defineBoundary, type EventCatalogue, type EventOf } from '#kernel';

const changedSchema = z.object({
  files: z.array(z.string()),
  /** How many of them were really added or removed. */
  entries: z.number(),
});

export const fileIndexEvents = {
  FilesAddedToIndex: { v: 1, description: 'A user added files to the global file index.', schema: changedSchema },
  FilesRemovedFromIndex: { v: 1, description: 'A user removed files from the index.', schema: changedSchema },
} as const satisfies EventCatalogue;

/**
 * The global file index is kept where the files are. Each worker keeps the part for its own files and changes it in the
 * same transactions as its cache, so that it always matches loading, freeing, eviction and expiry. The log only records
 * the changes that users made.
 */
export const fileIndexBoundary = defineBoundary('file-index', fileIndexEvents);
export type FileIndexEvent = EventOf<typeof fileIndexEvents>;
