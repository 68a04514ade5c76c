import { DomainError, type View } from '#kernel';
import { namespace, namespaceBoundary, type Mount, type NamespaceState } from './namespace.js';
import { isWithin, normalizeNamespacePath, normalizeUfsPath } from './paths.js';
import { policiesFrom } from './policy-rules.js';

/** The mount table as readers see it. `sequence` is the expected sequence of the next append. */
export interface NamespaceViewState {
  sequence: number;
  state: NamespaceState;
}

/** The state as JSON has it. */
type Written = Pick<NamespaceState, 'mounts'> & { policies: Parameters<typeof policiesFrom>[0] };

export const namespaceView: View<NamespaceViewState> = {
  name: 'namespace',
  version: 2,
  initial: () => ({ sequence: 0, state: namespace.initial }),
  evolve(view, commit) {
    if (commit.boundary !== namespaceBoundary.name) return;
    view.sequence = commit.sequence;
    for (const event of namespaceBoundary.eventsIn(commit)) view.state = namespace.evolve(view.state, event);
  },
  toSnapshot: (view) => view,
  fromSnapshot(snapshot) {
    const { sequence, state } = snapshot as { sequence: number; state: Written };
    // A snapshot of an older build lacks newer kinds of policies. Its log had no such policies.
    return { sequence, state: { ...state, policies: policiesFrom(state.policies) } };
  },
};

export function mountAt(state: NamespaceState, path: string): Mount | undefined {
  return state.mounts.find((mount) => mount.path === path);
}

/** The mount whose UFS holds this UFS path. Mounts never overlap, so there is at most one. */
export function mountOfUfsPath(state: NamespaceState, ufsPath: string): Mount | undefined {
  return state.mounts.find((mount) => isWithin(mount.ufs, ufsPath));
}

/**
 * The UFS path for a path that a user wrote: a UFS path inside a mount, or a namespace path below one.
 * @throws DomainError Malformed, also when no mount covers the path
 */
export function resolveUfsPath(state: NamespaceState, path: string, field = 'path'): string {
  if (path.startsWith('/')) {
    const normalized = normalizeNamespacePath(path, field);
    const mount = state.mounts.find((candidate) => isWithin(candidate.path, normalized));
    if (!mount) throw notMounted(path, field);
    return normalizeUfsPath(mount.ufs + behindMountPoint(mount.path, path), field);
  }
  const ufsPath = normalizeUfsPath(path, field);
  if (!mountOfUfsPath(state, ufsPath)) throw notMounted(path, field);
  return ufsPath;
}

/**
 * The path of a policy as it is stored and shown: `/data/dir`, without a slash at the end (except for the root). Below
 * a mount it is literal, like the UFS paths that the policy applies to: in a bucket, `/data/a//b` and `/data/a/b` are
 * different directories.
 * @throws DomainError Malformed
 */
export function policyPathFor(state: NamespaceState, path: string, field = 'path'): string {
  const normalized = normalizeNamespacePath(path, field);
  const mount = state.mounts.find((candidate) => isWithin(candidate.path, normalized));
  const bare = normalized === '/' ? normalized : normalized.slice(0, -1);
  if (!mount || `${bare}/` === mount.path) return bare;
  const ufsPath = normalizeUfsPath(mount.ufs + behindMountPoint(mount.path, path), field);
  return mount.path + ufsPath.slice(mount.ufs.length).replace(/\/$/, '');
}

/** The part of a path below a mount. It is literal like a UFS path: of several slashes in a row, each is in the key. */
function behindMountPoint(mountPath: string, path: string): string {
  const names = mountPath.split('/').filter((name) => name !== '');
  let at = 0;
  for (const name of names) {
    while (path[at] === '/') at++;
    at += name.length;
  }
  return path.slice(at + 1);
}

function notMounted(path: string, field: string): DomainError {
  return new DomainError('Malformed', 'not-mounted', `${field} lies outside every mount: ${path}`);
}
