import { z } from 'zod';

/** Fields that the specifications of all jobs on paths have. */
export const pathSpecFields = {
  /** As submitted. */
  paths: z.array(z.string()),
  index: z.string(),
  /** The canonical UFS paths to work on. None of them covers another; ascending by bytes. Empty with an index. */
  roots: z.array(z.string()),
  /** UFS path of the index file; '' without one. */
  indexPath: z.string(),
};
