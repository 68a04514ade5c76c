import { z } from 'zod';

/** What a rebalance job was asked to do, as it stands in `JobSubmitted`. */
export const rebalanceSpecSchema = z.object({
  /** A worker's id, or ALL. */
  target: z.string(),
  /** The workers that the target stood for when the job was submitted. */
  workers: z.array(z.string()),
  options: z.object({
    /** Files asked for at once while loading. */
    loadBatchSize: z.number(),
    /** Bytes/s per worker; 0 = unlimited. */
    loadBandwidth: z.number(),
    pruneBandwidth: z.number(),
    skipPrune: z.boolean(),
  }),
});
/** The pass after the main one. It removes copies that now have a better place. */
export const pruning = 'prune';

export type RebalanceSpec = z.infer<typeof rebalanceSpecSchema>;
