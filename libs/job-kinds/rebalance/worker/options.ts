import { z } from 'zod';

/** What the coordinator's half of the kind puts into `WorkBatch.options`. */
export const rebalanceBatchOptionsSchema = z.object({
  /** Entries asked of a peer, and fetched, at once. */
  loadBatchSize: z.number().int().positive(),
  /** Bytes/s per worker; 0 = unlimited. Read by the worker's throttle, as is the next. */
  loadBandwidth: z.number(),
  pruneBandwidth: z.number(),
  skipPrune: z.boolean(),
});
