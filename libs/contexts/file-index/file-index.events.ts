import { z } from 'zod';
import { type EventCatalogue } from '#kernel';

/**
 * The global file index lives where the files live: each worker keeps the part it holds, in the same transactions as
 * its cache, so that it is in step with loading, freeing, eviction and expiry. The log records what users changed.
 */
export const fileIndexBoundary = 'file-index';

const changedSchema = z.object({
  files: z.array(z.string()),
  /** How many of them really were added, or removed. */
  entries: z.number(),
});

export type FileIndexEvent =
  | { type: 'FilesAddedToIndex'; data: z.infer<typeof changedSchema> }
  | { type: 'FilesRemovedFromIndex'; data: z.infer<typeof changedSchema> };

export const fileIndexEvents = {
  FilesAddedToIndex: { v: 1, description: 'A user added files to the global file index.', schema: changedSchema },
  FilesRemovedFromIndex: { v: 1, description: 'A user removed files from it.', schema: changedSchema },
} as const satisfies EventCatalogue;
