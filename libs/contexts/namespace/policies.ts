import { z } from 'zod';
import { DomainError, exhausted, unreachable, type EventCatalogue } from '#kernel';

/**
 * Policies on directories of the namespace: a quota (bytes in the cache), a TTL (seconds since loading) and an eviction
 * priority. They belong to the namespace's boundary because a policy needs its mount and goes with it.
 */

export const priorities = ['low', 'medium', 'high'] as const;
export type Priority = (typeof priorities)[number];
export const defaultPriority: Priority = 'medium';

// ---- events ----

const pathOnly = z.object({ path: z.string() });
const quotaSetSchema = z.object({ path: z.string(), quotaBytes: z.number() });
const ttlSetSchema = z.object({ path: z.string(), ttlSeconds: z.number() });
const prioritySetSchema = z.object({ path: z.string(), priority: z.enum(priorities) });

export type PolicyEvent =
  | { type: 'QuotaSet'; data: z.infer<typeof quotaSetSchema> }
  | { type: 'QuotaRemoved'; data: z.infer<typeof pathOnly> }
  | { type: 'TtlSet'; data: z.infer<typeof ttlSetSchema> }
  | { type: 'TtlRemoved'; data: z.infer<typeof pathOnly> }
  | { type: 'PrioritySet'; data: z.infer<typeof prioritySetSchema> }
  | { type: 'PriorityRemoved'; data: z.infer<typeof pathOnly> };

export const policyEvents = {
  QuotaSet: { v: 1, description: 'A directory got a quota, or another one.', schema: quotaSetSchema },
  QuotaRemoved: { v: 1, description: 'The quota of a directory was removed.', schema: pathOnly },
  TtlSet: { v: 1, description: 'A directory got a time to live, or another one.', schema: ttlSetSchema },
  TtlRemoved: { v: 1, description: 'The time to live of a directory was removed.', schema: pathOnly },
  PrioritySet: {
    v: 1,
    description: 'A directory got an eviction priority, or another one.',
    schema: prioritySetSchema,
  },
  PriorityRemoved: { v: 1, description: 'The eviction priority of a directory was removed.', schema: pathOnly },
} as const satisfies EventCatalogue;

// ---- state ----

/** By policy path: a namespace path without a trailing slash (but for the root's). */
export interface Policies {
  readonly quotas: Readonly<Record<string, number>>;
  readonly ttls: Readonly<Record<string, number>>;
  readonly priorities: Readonly<Record<string, Priority>>;
}

export const noPolicies: Policies = { quotas: {}, ttls: {}, priorities: {} };

export function evolvePolicies(state: Policies, event: PolicyEvent): Policies {
  switch (event.type) {
    case 'QuotaSet':
      return { ...state, quotas: { ...state.quotas, [event.data.path]: event.data.quotaBytes } };
    case 'QuotaRemoved':
      return { ...state, quotas: without(state.quotas, event.data.path) };
    case 'TtlSet':
      return { ...state, ttls: { ...state.ttls, [event.data.path]: event.data.ttlSeconds } };
    case 'TtlRemoved':
      return { ...state, ttls: without(state.ttls, event.data.path) };
    case 'PrioritySet':
      return { ...state, priorities: { ...state.priorities, [event.data.path]: event.data.priority } };
    case 'PriorityRemoved':
      return { ...state, priorities: without(state.priorities, event.data.path) };
    default:
      return exhausted(event, state);
  }
}

function without<T>(record: Readonly<Record<string, T>>, key: string): Record<string, T> {
  const { [key]: _removed, ...rest } = record;
  return rest;
}

// ---- commands ----

export type PolicyCommand =
  | { type: 'SetQuota'; path: string; quotaBytes: number }
  | { type: 'RemoveQuota'; path: string }
  | { type: 'SetTtl'; path: string; ttlSeconds: number }
  | { type: 'RemoveTtl'; path: string }
  | { type: 'SetPriority'; path: string; priority: Priority }
  | { type: 'RemovePriority'; path: string };

// ---- decide ----

/** @param isMounted whether a mount covers a policy path */
export function decidePolicy(
  state: Policies,
  command: PolicyCommand,
  isMounted: (path: string) => boolean,
): PolicyEvent[] {
  const { path } = command;
  switch (command.type) {
    case 'SetQuota': {
      requireMount(path, isMounted);
      const { quotaBytes } = command;
      return state.quotas[path] === quotaBytes ? [] : [{ type: 'QuotaSet', data: { path, quotaBytes } }];
    }
    case 'SetTtl': {
      requireMount(path, isMounted);
      const { ttlSeconds } = command;
      return state.ttls[path] === ttlSeconds ? [] : [{ type: 'TtlSet', data: { path, ttlSeconds } }];
    }
    case 'SetPriority': {
      requireMount(path, isMounted);
      const { priority } = command;
      return state.priorities[path] === priority ? [] : [{ type: 'PrioritySet', data: { path, priority } }];
    }
    case 'RemoveQuota':
      requirePolicy(state.quotas, path, 'quota item');
      return [{ type: 'QuotaRemoved', data: { path } }];
    case 'RemoveTtl':
      requirePolicy(state.ttls, path, 'TTL policy');
      return [{ type: 'TtlRemoved', data: { path } }];
    case 'RemovePriority':
      requirePolicy(state.priorities, path, 'priority rule');
      return [{ type: 'PriorityRemoved', data: { path } }];
    default:
      return unreachable(command);
  }
}

/** What goes with a mount: the policies on paths that only it covered. */
export function policiesBelow(state: Policies, isBelow: (path: string) => boolean): PolicyEvent[] {
  const below = (record: Readonly<Record<string, unknown>>) => Object.keys(record).filter(isBelow);
  return [
    ...below(state.quotas).map((path) => ({ type: 'QuotaRemoved' as const, data: { path } })),
    ...below(state.ttls).map((path) => ({ type: 'TtlRemoved' as const, data: { path } })),
    ...below(state.priorities).map((path) => ({ type: 'PriorityRemoved' as const, data: { path } })),
  ];
}

function requireMount(path: string, isMounted: (path: string) => boolean): void {
  if (!isMounted(path)) throw new DomainError('Malformed', 'not-mounted', 'No mounted UFS found');
}

/** The reference answers 400, not 404, to the removal of a policy that is not there. */
function requirePolicy(record: Readonly<Record<string, unknown>>, path: string, what: string): void {
  if (record[path] === undefined) {
    throw new DomainError('NotFound', 'no-policy', `No ${what} found for path: ${path}`, { httpStatus: 400 });
  }
}
