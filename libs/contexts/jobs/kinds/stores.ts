import { z } from 'zod';

const storesSchema = z.object({ stores: z.record(z.string(), z.string()).optional() });

/**
 * The store of each mount that a job was submitted for, by the mount's UFS root. A walk that began in one store and went on
 * in another would have read neither. Undefined for kinds to which it does not matter, and for jobs of versions up to 0.2.
 */
export function storesOf(spec: Record<string, unknown>): Record<string, string> | undefined {
  return storesSchema.parse(spec).stores;
}

/** A sentence where another store is mounted than the job is about. What is not mounted at all says so itself. */
export function otherStore(
  stores: Record<string, string> | undefined,
  storeAt: (ufsPath: string) => string | undefined,
): string | undefined {
  for (const [ufs, meant] of Object.entries(stores ?? {})) {
    const mounted = storeAt(ufs);
    if (mounted !== undefined && mounted !== meant) {
      return `another store (${mounted}) is mounted at ${ufs} than when the job was submitted (${meant}): submit it anew`;
    }
  }
  return undefined;
}
