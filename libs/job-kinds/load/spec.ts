import { z } from 'zod';
import { pathSpecFields } from '#contexts/jobs/kinds';

/** What a load job was asked to do, as it stands in `JobSubmitted`. */
const loadSpecSchema = z.object({
  ...pathSpecFields,
  /**
   * Paths that were asked for too and that a root covers. They must exist, but are not walked again. Absent in older
   * events.
   */
  covered: z.array(z.string()).default([]),
  /** See `storesOf`. Absent in events of versions up to 0.2. */
  stores: z.record(z.string(), z.string()).optional(),
  /** The client named no `batchSize`: see `batchSizeAt`. Absent in events of versions up to 0.2. */
  batchGrows: z.boolean().optional(),
  options: z.object({
    /** Files per batch. */
    batchSize: z.number(),
    /** RE2 syntax; '' matches everything. */
    fileFilterRegex: z.string(),
    replicas: z.number(),
    skipIfExists: z.boolean(),
    loadMetadataOnly: z.boolean(),
    verify: z.boolean(),
    /** Bytes/s per worker; 0 = unlimited. */
    bandwidth: z.number(),
  }),
});
export type LoadSpec = z.infer<typeof loadSpecSchema>;

const parsed = new WeakMap<object, LoadSpec>();

/** The specification of a job's record, checked once: the owner of the job looks at it in every step. */
export function loadSpecOf(spec: Record<string, unknown>): LoadSpec {
  let found = parsed.get(spec);
  if (!found) parsed.set(spec, (found = loadSpecSchema.parse(spec)));
  return found;
}

/** The pass after the main one. It compares what workers hold with the UFS. */
export const verification = 'verify';

/** Canonical form of the request: together with the kind, the job's identity. */
export function loadTarget({ roots, indexPath, covered = [] }: LoadTargetParts): string {
  if (indexPath !== '') return JSON.stringify({ index: indexPath });
  return JSON.stringify({ roots, ...(covered.length > 0 ? { covered } : {}) });
}

type LoadTargetParts = Pick<LoadSpec, 'roots' | 'indexPath'> & Partial<Pick<LoadSpec, 'covered'>>;
