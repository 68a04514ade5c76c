import { isDeepStrictEqual } from 'node:util';
import type { Logged } from '../harness/collect.js';
import type { Call } from '../harness/history.js';
import { describeCall, type Check } from './check.js';

/** Mounts and policies after a commit. Keys are paths of the namespace without trailing slashes. */
interface Namespace {
  readonly sequence: number;
  readonly '/mount': Readonly<Record<string, string>>;
  readonly '/ttl': Readonly<Record<string, number>>;
  readonly '/priority': Readonly<Record<string, string>>;
  readonly '/quota': Readonly<Record<string, number>>;
}

type Register = '/mount' | '/ttl' | '/priority' | '/quota';
const registers: readonly Register[] = ['/mount', '/ttl', '/priority', '/quota'];

const trimmed = (path: string): string => path.replace(/\/+$/, '');
const isWithin = (path: string, directory: string): boolean => path === directory || path.startsWith(`${directory}/`);

/** Every state of the namespace, folded from the log by a separate model. */
export function states(log: readonly Logged[]): Namespace[] {
  let state: Namespace = { sequence: 0, '/mount': {}, '/ttl': {}, '/priority': {}, '/quota': {} };
  const all = [state];
  for (const { sequence, boundary, events } of log) {
    if (boundary !== 'namespace') continue;
    for (const { type, data } of events) state = evolve(state, type, data as Readonly<Record<string, unknown>>);
    state = { ...state, sequence };
    all.push(state);
  }
  return all;
}

const set = (register: Register, value: (data: Readonly<Record<string, unknown>>) => unknown) => ({ register, value });
const setting: Readonly<Record<string, ReturnType<typeof set>>> = {
  Mounted: set('/mount', ({ ufs }) => ufs),
  TtlSet: set('/ttl', ({ ttlSeconds }) => ttlSeconds),
  PrioritySet: set('/priority', ({ priority }) => priority),
  QuotaSet: set('/quota', ({ quotaBytes }) => quotaBytes),
};
const removing: Readonly<Record<string, Register>> = {
  Unmounted: '/mount',
  TtlRemoved: '/ttl',
  PriorityRemoved: '/priority',
  QuotaRemoved: '/quota',
};

function evolve(state: Namespace, type: string, data: Readonly<Record<string, unknown>>): Namespace {
  const path = trimmed(String(data['path']));
  const sets = setting[type];
  if (sets !== undefined) {
    return { ...state, [sets.register]: { ...state[sets.register], [path]: sets.value(data) } };
  }
  const register = removing[type];
  if (register === undefined) return state;
  const { [path]: _, ...rest } = state[register];
  return { ...state, [register]: rest };
}

/** The entries of an answer to a listing. */
function told(register: Register, body: unknown): Record<string, unknown> {
  const { results } = body as { results: Record<string, unknown>[] };
  const field = { '/mount': 'ufs', '/ttl': 'ttlSeconds', '/priority': 'priority', '/quota': 'quotaBytes' }[register];
  return Object.fromEntries(results.map((entry) => [trimmed(String(entry['path'])), entry[field]]));
}

/**
 * Each answer shows a state that existed, and none older than the writes that any client knew as acknowledged when the
 * request was sent. An answer that is marked as stale may be older.
 */
export const readsAreFresh: Check = ({ calls, outcome }) => {
  const all = states(outcome.log);
  const acknowledged = new LatestSequence(calls);
  const written = new Set(outcome.log.flatMap(({ events }) => events.map(({ requestId }) => requestId)));
  return calls.flatMap((call) => {
    if (isSetting(call) && !written.has(call.id)) {
      const held = since(all, acknowledged.before(call.startMs)).some((state) => holds(state, call));
      return held ? [] : [`acknowledged, but neither written nor already in effect: ${describeCall(call)}`];
    }
    const register = registers.find((one) => one === call.path);
    if (call.method !== 'GET' || register === undefined || call.answer?.status !== 200) return [];
    const answer = told(register, call.answer.body);
    const least = call.answer.stale ? 0 : acknowledged.before(call.startMs);
    if (since(all, least).some((state) => isDeepStrictEqual({ ...state[register] }, answer))) return [];
    const ever = all.some((state) => isDeepStrictEqual({ ...state[register] }, answer));
    const what = ever ? `older than sequence ${least}` : 'a state that never existed';
    return [`${what}, stale: ${call.answer.stale}: ${describeCall(call)}`];
  });
};

/** The states that existed at or after a sequence. */
const since = (all: readonly Namespace[], least: number): Namespace[] =>
  all.filter((_, i) => (all[i + 1]?.sequence ?? Number.POSITIVE_INFINITY) > least);

/** Whether the call set a policy. The policy may have had the same value before. */
const isSetting = ({ method, path, answer }: Call): boolean =>
  method === 'POST' && answer?.status === 200 && ['/ttl', '/priority', '/quota'].includes(path);

function holds(state: Namespace, { path: register, body = {} }: Call): boolean {
  const value = body['ttlSeconds'] ?? body['quotaBytes'] ?? String(body['priority']).toLowerCase();
  return state[register as Register][String(body['path'])] === value;
}

/** An answer as of a sequence shows the namespace of that moment, whenever it is requested. */
export const thePastStands: Check = ({ calls, outcome }) => {
  const all = states(outcome.log);
  return calls.flatMap((call) => {
    const [, route, asOf] = /^(\/\w+)\?asOf=(\d+)$/.exec(call.path) ?? [];
    const register = registers.find((one) => one === route);
    if (register === undefined || call.answer?.status !== 200) return [];
    const then = all.findLast(({ sequence }) => sequence <= Number(asOf))!;
    if (isDeepStrictEqual({ ...then[register] }, told(register, call.answer.body))) return [];
    return [`not the state after sequence ${then.sequence}: ${describeCall(call)}`];
  });
};

/**
 * The sequence in an answer is at least that of any answer that a client had received before the request was sent, unless
 * the request is about the past.
 */
export const sequencesNeverFall: Check = ({ calls }) => {
  const acknowledged = new LatestSequence(calls);
  return calls
    .filter(({ path }) => !path.includes('asOf='))
    .filter(({ answer }) => answer?.status === 200 && !answer.stale && answer.sequence !== undefined)
    .filter(({ answer, startMs }) => answer!.sequence! < acknowledged.before(startMs))
    .map(
      (call) => `sequence ${call.answer!.sequence} after ${acknowledged.before(call.startMs)}: ${describeCall(call)}`,
    );
};

/** No two mounts ever conflict, neither by path nor by UFS path. */
export const mountsNeverConflict: Check = ({ outcome }) =>
  states(outcome.log).flatMap(({ sequence, '/mount': mounts }) => {
    const entries = Object.entries(mounts).map(([path, ufs]) => [path, trimmed(ufs)] as const);
    return entries.flatMap(([path, ufs], i) =>
      entries
        .filter((_, other) => other !== i)
        .filter(([otherPath, otherUfs]) => isWithin(path, otherPath) || isWithin(ufs, otherUfs))
        .map(([otherPath]) => `at sequence ${sequence}, ${path} and ${otherPath} conflict`),
    );
  });

/** The highest sequence that any client had received by a moment. */
class LatestSequence {
  private readonly steps: { endMs: number; sequence: number }[] = [];

  constructor(calls: readonly Call[]) {
    let highest = 0;
    for (const { endMs, answer } of [...calls].sort((a, b) => a.endMs - b.endMs)) {
      if (answer?.status !== 200 || answer.stale || (answer.sequence ?? 0) <= highest) continue;
      highest = answer.sequence!;
      this.steps.push({ endMs, sequence: highest });
    }
  }

  before(ms: number): number {
    return this.steps.findLast(({ endMs }) => endMs < ms)?.sequence ?? 0;
  }
}
