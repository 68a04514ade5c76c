import { z } from 'zod';
import { defineBoundary, DomainError, type Decider, type EventCatalogue, type EventOf } from '#kernel';
import { storeOfMount } from './mount-store.js';
import { isWithin } from './paths.js';
import {
  decidePolicy,
  evolvePolicies,
  noPolicies,
  policiesBelow,
  policyEvents,
  type Policies,
  type PolicyCommand,
} from './policy-rules.js';

// ---- events ----

/** An option's value: in clear text, or sealed (AES-256-GCM with the key `keyId` of the key ring; all base64). */
export const storedOptionSchema = z.union([
  z.strictObject({ plain: z.string() }),
  z.strictObject({ keyId: z.string(), iv: z.string(), ciphertext: z.string(), tag: z.string() }),
]);
export type StoredOption = z.infer<typeof storedOptionSchema>;

const mountedSchema = z.object({
  path: z.string(),
  ufs: z.string(),
  options: z.record(z.string(), storedOptionSchema),
});
const unmountedSchema = z.object({ path: z.string(), ufs: z.string() });

export const namespaceEvents = {
  Mounted: { v: 1, description: 'A UFS was mounted at a path of the namespace.', schema: mountedSchema },
  Unmounted: { v: 1, description: 'The mount at a path was removed.', schema: unmountedSchema },
  MountOptionsReplaced: {
    v: 1,
    description: 'A mount got other options, such as keys. Its store is the same as before.',
    schema: mountedSchema,
  },
  ...policyEvents,
} as const satisfies EventCatalogue;

/**
 * The namespace: which UFS is mounted where. One boundary holds the whole table, because two replicas must not both
 * mount one path, and because policies need their mount.
 */
export const namespaceBoundary = defineBoundary('namespace', namespaceEvents);
export type NamespaceEvent = EventOf<typeof namespaceEvents>;

// ---- state ----

export interface Mount {
  /** Namespace path, begins and ends with `/`. */
  readonly path: string;
  /** UFS root, ends with `/`. */
  readonly ufs: string;
  readonly options: Readonly<Record<string, StoredOption>>;
}

export interface NamespaceState {
  /** In the order of their paths. */
  readonly mounts: readonly Mount[];
  readonly policies: Policies;
}

const initial: NamespaceState = { mounts: [], policies: noPolicies };

function evolve(state: NamespaceState, event: NamespaceEvent): NamespaceState {
  switch (event.type) {
    case 'MountOptionsReplaced':
    case 'Mounted': {
      const { path, ufs, options } = event.data;
      const others = state.mounts.filter((mount) => mount.path !== path);
      const mounts = [...others, { path, ufs, options }].sort((a, b) => (a.path < b.path ? -1 : 1));
      return { ...state, mounts };
    }
    case 'Unmounted':
      return { ...state, mounts: state.mounts.filter((mount) => mount.path !== event.data.path) };
    default:
      return { ...state, policies: evolvePolicies(state.policies, event) };
  }
}

// ---- commands ----

/** In a command, paths are canonical and option values are already sealed. */
export type NamespaceCommand =
  | { type: 'Mount'; path: string; ufs: string; options: Record<string, StoredOption> }
  | { type: 'Unmount'; path: string }
  /** Replaces all options. `ufs`, if given, must be that of the mount. */
  | { type: 'ReplaceMountOptions'; path: string; ufs?: string; options: Record<string, StoredOption> }
  | PolicyCommand;

// ---- decide ----

function decide(state: NamespaceState, command: NamespaceCommand): NamespaceEvent[] {
  switch (command.type) {
    case 'Mount':
      for (const mount of state.mounts) requireApart(mount, command);
      return [{ type: 'Mounted', data: { path: command.path, ufs: command.ufs, options: command.options } }];
    case 'Unmount': {
      const mount = state.mounts.find((candidate) => candidate.path === command.path);
      if (!mount) {
        throw new DomainError('NotFound', 'not-mounted', `${command.path} is not mounted to any UFS`, {
          httpStatus: 410,
        });
      }
      const orphans = policiesBelow(state.policies, (path) => isWithin(mount.path, path));
      return [{ type: 'Unmounted', data: { path: mount.path, ufs: mount.ufs } }, ...orphans];
    }
    case 'ReplaceMountOptions':
      return replaceOptions(state, command);
    default: {
      const isMounted = (path: string) => state.mounts.some((mount) => isWithin(mount.path, path));
      return decidePolicy(state.policies, command, isMounted);
    }
  }
}

function replaceOptions(
  state: NamespaceState,
  { path, ufs, options }: Extract<NamespaceCommand, { type: 'ReplaceMountOptions' }>,
): NamespaceEvent[] {
  const mount = state.mounts.find((candidate) => candidate.path === path);
  if (!mount) throw new DomainError('NotFound', 'no-mount', `No mount point found for path: ${path}`);
  const advice = 'remove the mount and create it again';
  if (ufs !== undefined && ufs !== mount.ufs) {
    throw refused(`ufs: ${path} is mounted to ${mount.ufs}, not to ${ufs}; to change that, ${advice}`);
  }
  const [now, then] = [storeOfMount(mount), storeOfMount({ ufs: mount.ufs, options })];
  if (now !== then) {
    throw refused(`options: they name another store (${then}) than ${path} shows (${now}); to change that, ${advice}`);
  }
  if (sameOptions(mount.options, options)) return [];
  return [{ type: 'MountOptionsReplaced', data: { path, ufs: mount.ufs, options } }];
}

/** A value that was sealed again counts as a different one. */
function sameOptions(a: Mount['options'], b: Mount['options']): boolean {
  const text = (options: Mount['options']) =>
    JSON.stringify(Object.entries(options).sort(([x], [y]) => (x < y ? -1 : 1)));
  return text(a) === text(b);
}

function requireApart(mount: Mount, { path, ufs }: { path: string; ufs: string }): void {
  if (mount.path === path) throw refused(`${path} is already mounted to ${mount.ufs}`);
  if (mount.ufs === ufs) throw refused(`${ufs} has already been mounted to ${mount.path}`);
  if (isWithin(mount.path, path) || isWithin(path, mount.path)) {
    throw refused(`${path} and the mount point ${mount.path} lie within each other; nested mounts are not allowed`);
  }
  if (isWithin(mount.ufs, ufs) || isWithin(ufs, mount.ufs)) {
    throw refused(`${ufs} overlaps ${mount.ufs}, which is mounted to ${mount.path}`);
  }
}

function refused(message: string): DomainError {
  return new DomainError('Refused', 'mount-conflict', message);
}

export const namespace: Decider<NamespaceState, NamespaceCommand, NamespaceEvent> = { initial, evolve, decide };
