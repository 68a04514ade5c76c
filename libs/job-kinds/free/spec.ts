import { z } from 'zod';

/** What a free job was asked to do, as it stands in `JobSubmitted`. */
export const freeSpecSchema = z.object({
  /** As submitted. */
  paths: z.array(z.string()),
  index: z.string(),
  /** Canonical UFS paths, none within another. Empty with an index. */
  roots: z.array(z.string()),
  /** UFS path of the index file; '' without one. */
  indexPath: z.string(),
  options: z.object({
    /** Paths per batch, and copies a worker removes in one go. */
    batchSize: z.number(),
    /** False: of a directory only its direct children. */
    recursive: z.boolean(),
  }),
});
export type FreeSpec = z.infer<typeof freeSpecSchema>;

/** With `recursive`, because freeing a directory's children and freeing all below it are different things to do. */
export function freeTarget({ roots, indexPath, options }: FreeSpec): string {
  const { recursive } = options;
  return JSON.stringify(indexPath === '' ? { roots, recursive } : { index: indexPath, recursive });
}
