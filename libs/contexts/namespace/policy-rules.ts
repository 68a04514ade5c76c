import { z } from 'zod';
import { DomainError, type EventSchema } from '#kernel';
import { policies, type PolicyDeclaration } from './policies/index.js';
import { PolicyTable } from './policy-table.js';

/**
 * Policies on directories of the namespace, for all kinds declared in `policies/`. They belong to the boundary of the
 * namespace, because a policy needs its mount and is removed with it.
 */
type Policy = (typeof policies)[number];
type ValueOf<P extends Policy> = z.infer<P['value']>;
type Setting<P extends Policy> = { path: string } & { [Field in P['field']]: ValueOf<P> };

// ---- events ----

export type PolicyEvent = {
  [P in Policy as P['noun']]:
    { type: `${P['noun']}Set`; data: Setting<P> } | { type: `${P['noun']}Removed`; data: { path: string } };
}[Policy['noun']];

export const policyEvents = Object.fromEntries(
  policies.flatMap(({ noun, field, value, events }: PolicyDeclaration): [string, EventSchema][] => [
    [`${noun}Set`, { v: 1, description: events.set, schema: z.object({ path: z.string(), [field]: value }) }],
    [`${noun}Removed`, { v: 1, description: events.removed, schema: z.object({ path: z.string() }) }],
  ]),
) as { readonly [Type in PolicyEvent['type']]: EventSchema<Extract<PolicyEvent, { type: Type }>['data']> };

// ---- state ----

/** Values by kind of policy and policy path: a namespace path without a trailing slash (except for the root). */
export type Policies = { readonly [P in Policy as P['record']]: PolicyTable<ValueOf<P>> };

/** The same without the types of the kinds: the rules below are the same for all kinds. */
type Tables = Readonly<Record<string, PolicyTable<unknown>>>;

export const noPolicies = policiesFrom({});

/** @param records as JSON has them. A kind that is missing has no policies */
export function policiesFrom(records: Readonly<Record<string, Readonly<Record<string, unknown>>>>): Policies {
  return forEachPolicy((record) => PolicyTable.of(records[record] ?? {})) as Policies;
}

/** An object with a field for each kind of policy, by the name of its record. */
export function forEachPolicy<T>(make: (record: Policy['record']) => T): Record<Policy['record'], T> {
  return Object.fromEntries(policies.map(({ record }) => [record, make(record)])) as Record<Policy['record'], T>;
}

export function evolvePolicies(state: Policies, event: PolicyEvent): Policies {
  const { path } = event.data;
  for (const { noun, record, field } of policies as readonly PolicyDeclaration[]) {
    const before = (state as Tables)[record];
    if (event.type === `${noun}Set`) {
      return { ...state, [record]: before.with(path, (event.data as Record<string, unknown>)[field]) };
    }
    if (event.type === `${noun}Removed`) return { ...state, [record]: before.without(path) };
  }
  return state;
}

// ---- commands ----

export type PolicyCommand = {
  [P in Policy as P['noun']]: ({ type: `Set${P['noun']}` } & Setting<P>) | { type: `Remove${P['noun']}`; path: string };
}[Policy['noun']];

export function setPolicy({ noun, field }: PolicyDeclaration, path: string, value: unknown): PolicyCommand {
  return { type: `Set${noun}`, path, [field]: value } as PolicyCommand;
}

export function removePolicy({ noun }: PolicyDeclaration, path: string): PolicyCommand {
  return { type: `Remove${noun}`, path } as PolicyCommand;
}

// ---- decide ----

/** @param isMounted whether a mount covers a policy path */
export function decidePolicy(
  state: Policies,
  command: PolicyCommand,
  isMounted: (path: string) => boolean,
): PolicyEvent[] {
  const { path } = command;
  for (const { noun, record, field, item } of policies as readonly PolicyDeclaration[]) {
    const present = (state as Tables)[record].get(path);
    if (command.type === `Set${noun}`) {
      if (!isMounted(path)) throw new DomainError('Malformed', 'not-mounted', 'No mounted UFS found');
      const value = (command as unknown as Record<string, unknown>)[field];
      return present === value
        ? []
        : [{ type: `${noun}Set`, data: { path, [field]: value } } as unknown as PolicyEvent];
    }
    if (command.type === `Remove${noun}`) {
      // The reference answers 400, not 404, to the removal of a policy that does not exist.
      if (present === undefined) throw noPolicy(item, path, 400);
      return [removed(noun, path)];
    }
  }
  throw new DomainError('Bug', 'unknown-command', `no policy has the command ${command.type}`);
}

/** The removals that follow the removal of a mount: the policies on paths that only it covered. */
export function policiesBelow(state: Policies, isBelow: (path: string) => boolean): PolicyEvent[] {
  return policies.flatMap(({ noun, record }) =>
    [...(state as Tables)[record]].flatMap(([path]) => (isBelow(path) ? [removed(noun, path)] : [])),
  );
}

/** @param item the reference's name for a policy of that kind */
export function noPolicy(item: string, path: string, httpStatus = 404): DomainError {
  return new DomainError('NotFound', 'no-policy', `No ${item} found for path: ${path}`, { httpStatus });
}

function removed(noun: string, path: string): PolicyEvent {
  return { type: `${noun}Removed`, data: { path } } as PolicyEvent;
}
