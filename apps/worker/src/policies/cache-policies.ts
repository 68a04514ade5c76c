import type { CachePolicies } from '#cache-store';
import { defaultPriority, evictionTier, type UfsPolicies, type UfsPolicyTable } from '#contexts/namespace';

/** Directories remembered at once: a few MB. */
const maxRemembered = 16_384;

/**
 * The policies of a namespace in the form that the cache asks for. The result for each directory is remembered, so a
 * path costs two look-ups. A policy on the exact path of a file is found by that path.
 * @param enabled a feature that is switched off has no policies
 */
export function cachePolicies(
  { ttls, priorities }: Pick<UfsPolicies, 'ttls' | 'priorities'>,
  enabled: { ttl: boolean; priority: boolean },
): CachePolicies {
  const priorityOf = lookup(enabled.priority ? priorities : undefined);
  const ttlOf = lookup(enabled.ttl ? ttls : undefined);
  return {
    tierOf: (path) => evictionTier(priorityOf(path) ?? defaultPriority),
    ttlSecondsOf: ttlOf,
  };
}

function lookup<Value>(policies: UfsPolicyTable<Value> | undefined): (path: string) => Value | undefined {
  if (policies === undefined || policies.isEmpty) return () => undefined;
  const byDirectory = new Map<string, Value | undefined>();
  return (path) => {
    if (policies.has(path)) return policies.mostSpecific(path);
    const directory = path.slice(0, path.lastIndexOf('/'));
    if (byDirectory.has(directory)) return byDirectory.get(directory);
    if (byDirectory.size >= maxRemembered) byDirectory.clear();
    const value = policies.mostSpecific(directory);
    byDirectory.set(directory, value);
    return value;
  };
}
