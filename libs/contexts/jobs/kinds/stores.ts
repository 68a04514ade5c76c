import { z } from 'zod';

const storesSchema = z.object({ stores: z.record(z.string(), z.string()).optional() });

/**
 * The store of each mount that a job was submitted for, by the mount's UFS root. A walk must not begin in one store and
 * go on in another. Undefined for kinds that do not depend on the store, and for jobs of versions up to 0.2.
 */
export function storesOf(spec: Record<string, unknown>): Record<string, string> | undefined {
  return storesSchema.parse(spec).stores;
}

/**
 * An error sentence where another store is mounted than the one that the job was submitted for. A mount that is gone is
 * reported elsewhere.
 */
export function otherStore(
  stores: Record<string, string> | undefined,
  storeAt: (ufsPath: string) => string | undefined,
): string | undefined {
  for (const [ufs, meant] of Object.entries(stores ?? {})) {
    const mounted = storeAt(ufs);
    if (mounted !== undefined && mounted !== meant) {
      return `another store (${mounted}) is mounted at ${ufs} than when the job was submitted (${meant}): submit it again`;
    }
  }
  return undefined;
}
