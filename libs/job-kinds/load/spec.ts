import { z } from 'zod';
import { pathSpecFields } from '../path-spec.js';

/** What a load job was asked to do, as it stands in `JobSubmitted`. */
export const loadSpecSchema = z.object({
  ...pathSpecFields,
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

/** Canonical form of what is loaded: with the kind, the job's identity. */
export function loadTarget(spec: Pick<LoadSpec, 'roots' | 'indexPath'>): string {
  return JSON.stringify(spec.indexPath === '' ? { roots: spec.roots } : { index: spec.indexPath });
}

/** Sorted by UTF-8 bytes, without doubles and without paths that lie within another. */
export function minimalRoots(paths: readonly string[]): string[] {
  const sorted = [...new Set(paths)].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  const covers = (root: string, path: string): boolean =>
    path === root || path.startsWith(root.endsWith('/') ? root : `${root}/`);
  return sorted.filter((path) => !sorted.some((root) => root !== path && covers(root, path)));
}
