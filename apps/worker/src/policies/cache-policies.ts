import type { CachePolicies } from '#cache-store';
import {
  defaultPriority,
  evictionTier,
  mostSpecific,
  ufsPolicies,
  type NamespaceState,
  type UfsPolicy,
} from '#contexts/namespace';

/** Directories remembered at once: a few MB. */
const maxRemembered = 16_384;

/**
 * The policies of a namespace in the form that the cache asks for. The result for each directory is remembered, so a
 * path costs two look-ups. A policy on the exact path of a file is found by that path.
 * @param enabled a feature that is switched off has no policies
 */
export function cachePolicies(namespace: NamespaceState, enabled: { ttl: boolean; priority: boolean }): CachePolicies {
  const { ttls, priorities } = ufsPolicies(namespace);
  const priorityOf = lookup(enabled.priority ? priorities : []);
  const ttlOf = lookup(enabled.ttl ? ttls : []);
  return {
    tierOf: (path) => evictionTier(priorityOf(path) ?? defaultPriority),
    ttlSecondsOf: ttlOf,
  };
}

function lookup<Value>(policies: readonly UfsPolicy<Value>[]): (path: string) => Value | undefined {
  if (policies.length === 0) return () => undefined;
  const exact = new Set(policies.map(({ ufsPath }) => ufsPath));
  const byDirectory = new Map<string, Value | undefined>();
  return (path) => {
    if (exact.has(path)) return mostSpecific(policies, path);
    const directory = path.slice(0, path.lastIndexOf('/'));
    if (byDirectory.has(directory)) return byDirectory.get(directory);
    if (byDirectory.size >= maxRemembered) byDirectory.clear();
    const value = mostSpecific(policies, directory);
    byDirectory.set(directory, value);
    return value;
  };
}
