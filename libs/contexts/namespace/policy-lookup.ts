import type { Mount, NamespaceState } from './namespace.js';
import { isWithin } from './paths.js';
import { defaultPriority, type Priority } from './policies/index.js';
import { forEachPolicy, type Policies } from './policy-rules.js';
import type { PolicyTable } from './policy-table.js';

/** A policy with the path by which the cache knows its files: a UFS path without a trailing slash. */
export interface UfsPolicy<Value> {
  /** The policy's path in the namespace. */
  path: string;
  ufsPath: string;
  value: Value;
}

/**
 * Policies of one kind by UFS path. Nothing is translated before it is asked for: a question about a path translates
 * only that path, so a change of the namespace costs nothing here. A policy above mounts (on `/` with mounts below it)
 * is listed once for each mount.
 */
export class UfsPolicyTable<Value> implements Iterable<UfsPolicy<Value>> {
  constructor(
    private readonly mounts: readonly Mount[],
    private readonly table: PolicyTable<Value>,
  ) {}

  get isEmpty(): boolean {
    return this.table.size === 0;
  }

  /** Whether it was made of the same mounts and policies. */
  equals(other: UfsPolicyTable<Value> | undefined): boolean {
    return other !== undefined && this.mounts === other.mounts && this.table === other.table;
  }

  /** All of them, in the order of their own paths. */
  *[Symbol.iterator](): Iterator<UfsPolicy<Value>> {
    for (const [path, value] of this.table) {
      for (const ufsPath of this.ufsPathsOf(path)) yield { path, ufsPath, value };
    }
  }

  /** The UFS paths of the policy on a path of the namespace, if there is one. */
  ufsPathsOf(path: string): string[] {
    if (this.table.get(path) === undefined) return [];
    return this.mounts.flatMap((mount) => toUfsPath(mount, path) ?? []);
  }

  /** The policies on this UFS path and on directories above it, the most specific one last. */
  covering(ufsPath: string): UfsPolicy<Value>[] {
    const mount = this.isEmpty ? undefined : this.mountOf(ufsPath);
    if (mount === undefined) return [];
    return [...pathsAbove(mount, ufsPath)].flatMap((path) => {
      const value = this.table.get(path);
      return value === undefined ? [] : [{ path, ufsPath: toUfsPath(mount, path)!, value }];
    });
  }

  /** The value of the most specific policy that covers a UFS path. */
  mostSpecific(ufsPath: string): Value | undefined {
    const mount = this.isEmpty ? undefined : this.mountOf(ufsPath);
    let found: Value | undefined;
    if (mount !== undefined) for (const path of pathsAbove(mount, ufsPath)) found = this.table.get(path) ?? found;
    return found;
  }

  /** Whether one of them is on exactly this UFS path. */
  has(ufsPath: string): boolean {
    const mount = this.isEmpty ? undefined : this.mountOf(ufsPath);
    if (mount === undefined) return false;
    if (ufsPath.length > mount.ufs.length)
      return this.table.get(mount.path + ufsPath.slice(mount.ufs.length)) !== undefined;
    return this.covering(ufsPath).some((policy) => policy.ufsPath === ufsPath);
  }

  /** Whether one of them is on a UFS path below this one, which has no trailing slash. */
  hasBelow(ufsPath: string): boolean {
    const prefix = `${ufsPath}/`;
    return this.mounts.some((mount) => {
      if (prefix.startsWith(mount.ufs)) return this.hasKeyBelow(mount, prefix.slice(mount.ufs.length));
      if (!mount.ufs.startsWith(prefix)) return false;
      return this.covering(withoutSlash(mount.ufs)).length > 0 || this.hasKeyBelow(mount, '');
    });
  }

  /** Whether a policy is below the mount point, with this beginning of the rest of its path. */
  private hasKeyBelow(mount: Mount, beginning: string): boolean {
    const prefix = mount.path + beginning;
    for (const [path] of this.table.from(prefix)) {
      if (!path.startsWith(prefix)) return false;
      if (path.length > mount.path.length) return true;
    }
    return false;
  }

  /** Mounts never overlap, so there is at most one. */
  private mountOf(ufsPath: string): Mount | undefined {
    return this.mounts.find((mount) => isWithin(mount.ufs, ufsPath));
  }
}

/** Policies as workers apply them, by UFS path. The tables have the names of the tables in the state. */
export type UfsPolicies = {
  [Kind in keyof Policies]: Policies[Kind] extends PolicyTable<infer Value> ? UfsPolicyTable<Value> : never;
};

export function ufsPolicies({ mounts, policies }: Pick<NamespaceState, 'mounts' | 'policies'>): UfsPolicies {
  const of = policies as Readonly<Record<string, PolicyTable<unknown>>>;
  return forEachPolicy((record) => new UfsPolicyTable(mounts, of[record])) as UfsPolicies;
}

function toUfsPath({ path: mountPath, ufs }: Mount, path: string): string | undefined {
  const below = path.slice(mountPath.length);
  if (isWithin(mountPath, path)) return below === '' ? withoutSlash(ufs) : ufs + below;
  return isWithin(path === '/' ? '/' : `${path}/`, mountPath) ? withoutSlash(ufs) : undefined;
}

/**
 * The paths of the namespace on which a policy covers a UFS path of this mount: those above the mount point, the mount
 * point, and those below it on the way to the path; the most specific one last.
 */
function* pathsAbove(mount: Mount, ufsPath: string): Generator<string> {
  yield '/';
  if (mount.path !== '/') yield* pathsOfMount(mount);
  const below = ufsPath.slice(mount.ufs.length);
  if (below === '') return;
  for (let at = below.indexOf('/', 1); at > 0; at = below.indexOf('/', at + 1)) yield mount.path + below.slice(0, at);
  yield mount.path + below;
}

/** `/a`, `/a/b` and `/a/b/`, for a mount at `/a/b/`. */
function* pathsOfMount({ path }: Mount): Generator<string> {
  for (let at = path.indexOf('/', 1); at > 0; at = path.indexOf('/', at + 1)) yield path.slice(0, at);
  yield path;
}

function withoutSlash(path: string): string {
  return path.replace(/\/$/, '');
}

export function priorityOf(policies: Pick<UfsPolicies, 'priorities'>, ufsPath: string): Priority {
  return policies.priorities.mostSpecific(ufsPath) ?? defaultPriority;
}

/** All quotas that apply to a UFS path, the innermost last. None of them may be exceeded. */
export function quotasOf(policies: Pick<UfsPolicies, 'quotas'>, ufsPath: string): UfsPolicy<number>[] {
  return policies.quotas.covering(ufsPath);
}
