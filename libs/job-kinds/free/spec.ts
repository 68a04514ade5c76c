import { z } from 'zod';
import { pathSpecFields } from '#contexts/jobs/kinds';

/** What a free job was asked to do, as it stands in `JobSubmitted`. */
export const freeSpecSchema = z.object({
  ...pathSpecFields,
  options: z.object({
    /** Paths per batch, and copies a worker removes in one go. */
    batchSize: z.number(),
    /** False: of a directory only its direct children. */
    recursive: z.boolean(),
    /** Only the copies that no mount covers. Absent in jobs of versions up to 0.2. */
    unmounted: z.boolean().optional(),
  }),
});
export type FreeSpec = z.infer<typeof freeSpecSchema>;

/**
 * Contains `recursive`, because freeing a directory's children and freeing everything below it are different jobs. The
 * same holds for `unmounted`.
 */
export function freeTarget({ roots, indexPath, options }: FreeSpec): string {
  const { recursive, unmounted } = options;
  const reach = { recursive, ...(unmounted ? { unmounted } : {}) };
  return JSON.stringify(indexPath === '' ? { roots, ...reach } : { index: indexPath, ...reach });
}
