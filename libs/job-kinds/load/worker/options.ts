import { z } from 'zod';

/** What the coordinator's half of the kind puts into `WorkBatch.options`. */
export const loadBatchOptionsSchema = z.object({
  /** Skip a file whose cached bytes are of the UFS's current version. */
  skipIfExists: z.boolean().default(false),
  /** Keep size and version only; no bytes are read. */
  loadMetadataOnly: z.boolean().default(false),
  /** Bytes/s per worker, 0 = unlimited. Read by the worker's throttle, not by the kind. */
  bandwidth: z.number().default(0),
  /** Distinct workers that are to hold a copy of each file. */
  replicas: z.number().default(1),
});
export type LoadBatchOptions = z.infer<typeof loadBatchOptionsSchema>;
