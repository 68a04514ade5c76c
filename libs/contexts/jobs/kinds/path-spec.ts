import { z } from 'zod';

/** What jobs on paths have in common in their specification. */
export const pathSpecFields = {
  /** As submitted. */
  paths: z.array(z.string()),
  index: z.string(),
  /** What is really worked on: canonical UFS paths, none of which covers another, ascending by bytes. Empty with an index. */
  roots: z.array(z.string()),
  /** UFS path of the index file; '' without one. */
  indexPath: z.string(),
};
