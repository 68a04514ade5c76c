import { z } from 'zod';
import { pathSpecFields } from '../path-spec.js';

/** What a free job was asked to do, as it stands in `JobSubmitted`. */
export const freeSpecSchema = z.object({
  ...pathSpecFields,
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
