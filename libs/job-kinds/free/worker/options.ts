import { z } from 'zod';

/** What the coordinator's half of the kind puts into `WorkBatch.options`. */
export const freeBatchOptionsSchema = z.object({
  /** False: of a directory only its direct children. */
  recursive: z.boolean(),
  /** Copies that are removed in one go; between two groups the job can be stopped. */
  batchSize: z.number().int().positive(),
});
export type FreeBatchOptions = z.infer<typeof freeBatchOptionsSchema>;
