import { z } from 'zod';

/** What the coordinator's half of the kind puts into `WorkBatch.options`. */
export const freeBatchOptionsSchema = z.object({
  /** False: of a directory only its direct children. */
  recursive: z.boolean(),
  /** Copies that are removed at once. The job can be stopped between two groups. */
  batchSize: z.number().int().positive(),
  /** Only the copies that no mount covers. Absent in batches of versions up to 0.2. */
  unmounted: z.boolean().default(false),
});
export type FreeBatchOptions = z.infer<typeof freeBatchOptionsSchema>;
