import type { NamespaceState } from './namespace.js';
import { isWithin } from './paths.js';
import { defaultPriority, type Priority } from './policies/index.js';
import { forEachPolicy, type Policies } from './policy-rules.js';

/** A policy with the path by which the cache knows its files: a UFS path without a trailing slash. */
export interface UfsPolicy<Value> {
  /** The policy's path in the namespace. */
  path: string;
  ufsPath: string;
  value: Value;
}

/**
 * Policies as workers apply them, by UFS path. The lists have the names of the records in the state. A policy above
 * mounts (on `/` with mounts below it) is listed once for each mount.
 */
export type UfsPolicies = {
  [Kind in keyof Policies]: UfsPolicy<Policies[Kind][string]>[];
};

export function ufsPolicies({ mounts, policies }: NamespaceState): UfsPolicies {
  const translate = (record: Readonly<Record<string, unknown>>): UfsPolicy<unknown>[] =>
    Object.entries(record).flatMap(([path, value]) =>
      mounts.flatMap((mount) => {
        const ufsPath = toUfsPath(mount.path, mount.ufs, path);
        return ufsPath === undefined ? [] : [{ path, ufsPath, value }];
      }),
    );
  return forEachPolicy((record) => translate(policies[record])) as UfsPolicies;
}

function toUfsPath(mountPath: string, ufs: string, path: string): string | undefined {
  const below = path.slice(mountPath.length);
  if (isWithin(mountPath, path)) return below === '' ? withoutSlash(ufs) : ufs + below;
  return isWithin(path === '/' ? '/' : `${path}/`, mountPath) ? withoutSlash(ufs) : undefined;
}

function withoutSlash(path: string): string {
  return path.replace(/\/$/, '');
}

/** Whether a policy on `policyPath` (without trailing slash) applies to `path`: the file itself or one below it. */
export function covers(policyPath: string, path: string): boolean {
  return path.startsWith(policyPath) && (path.length === policyPath.length || path[policyPath.length] === '/');
}

/** The value of the most specific policy that covers a UFS path. */
export function mostSpecific<Value>(policies: readonly UfsPolicy<Value>[], ufsPath: string): Value | undefined {
  let best: UfsPolicy<Value> | undefined;
  for (const policy of policies) {
    if (covers(policy.ufsPath, ufsPath) && (!best || isMoreSpecific(policy, best))) best = policy;
  }
  return best?.value;
}

/** A policy above a mount and one on the mount itself have the same UFS path. Then their own paths decide. */
function isMoreSpecific(a: UfsPolicy<unknown>, b: UfsPolicy<unknown>): boolean {
  return a.ufsPath.length > b.ufsPath.length || (a.ufsPath === b.ufsPath && a.path.length > b.path.length);
}

export function priorityOf(policies: UfsPolicies, ufsPath: string): Priority {
  return mostSpecific(policies.priorities, ufsPath) ?? defaultPriority;
}

/** All quotas that apply to a UFS path. None of them may be exceeded. */
export function quotasOf(policies: Pick<UfsPolicies, 'quotas'>, ufsPath: string): UfsPolicy<number>[] {
  return policies.quotas.filter((quota) => covers(quota.ufsPath, ufsPath));
}
