import { isDeepStrictEqual } from 'node:util';
import type { Logged } from '../harness/collect.js';
import type { Call } from '../harness/history.js';
import { describeCall, type Check } from './check.js';

/** Mounts and policies as they stood behind a commit; keys are paths of the namespace without trailing slashes. */
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

/** Every state that the namespace has been in: a model of its own, folded from the log. */
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

/** What an answer to a listing says. */
function told(register: Register, body: unknown): Record<string, unknown> {
  const { results } = body as { results: Record<string, unknown>[] };
  const field = { '/mount': 'ufs', '/ttl': 'ttlSeconds', '/priority': 'priority', '/quota': 'quotaBytes' }[register];
  return Object.fromEntries(results.map((entry) => [trimmed(String(entry['path'])), entry[field]]));
}

/**
 * Each answer is a state that the namespace has been in, and none from before what was acknowledged, to anyone, when
 * its request was sent; unless it says that it is stale.
 */
export const readsAreFresh: Check = ({ calls, outcome }) => {
  const all = states(outcome.log);
  const acknowledged = new LatestSequence(calls);
  const written = new Set(outcome.log.flatMap(({ events }) => events.map(({ requestId }) => requestId)));
  return calls.flatMap((call) => {
    if (isSetting(call) && !written.has(call.id)) {
      const held = since(all, acknowledged.before(call.startMs)).some((state) => holds(state, call));
      return held ? [] : [`acknowledged, neither written nor there before: ${describeCall(call)}`];
    }
    const register = registers.find((one) => one === call.path);
    if (call.method !== 'GET' || register === undefined || call.answer?.status !== 200) return [];
    const answer = told(register, call.answer.body);
    const least = call.answer.stale ? 0 : acknowledged.before(call.startMs);
    if (since(all, least).some((state) => isDeepStrictEqual({ ...state[register] }, answer))) return [];
    const ever = all.some((state) => isDeepStrictEqual({ ...state[register] }, answer));
    const what = ever ? `older than sequence ${least}` : 'a state that never was';
    return [`${what}, stale: ${call.answer.stale}: ${describeCall(call)}`];
  });
};

/** The states that were there at or after a sequence. */
const since = (all: readonly Namespace[], least: number): Namespace[] =>
  all.filter((_, i) => (all[i + 1]?.sequence ?? Number.POSITIVE_INFINITY) > least);

/** Whether a policy was set, to what it may have been before. */
const isSetting = ({ method, path, answer }: Call): boolean =>
  method === 'POST' && answer?.status === 200 && ['/ttl', '/priority', '/quota'].includes(path);

function holds(state: Namespace, { path: register, body = {} }: Call): boolean {
  const value = body['ttlSeconds'] ?? body['quotaBytes'] ?? String(body['priority']).toLowerCase();
  return state[register as Register][String(body['path'])] === value;
}

/** An answer as of a sequence is the state that the namespace was in then, whatever has happened since. */
export const thePastStands: Check = ({ calls, outcome }) => {
  const all = states(outcome.log);
  return calls.flatMap((call) => {
    const [, route, asOf] = /^(\/\w+)\?asOf=(\d+)$/.exec(call.path) ?? [];
    const register = registers.find((one) => one === route);
    if (register === undefined || call.answer?.status !== 200) return [];
    const then = all.findLast(({ sequence }) => sequence <= Number(asOf))!;
    if (isDeepStrictEqual({ ...then[register] }, told(register, call.answer.body))) return [];
    return [`not what stood behind sequence ${then.sequence}: ${describeCall(call)}`];
  });
};

/**
 * The sequence in an answer is at least that of any answer that had been received when its request was sent; unless the
 * past was asked for.
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

/** No two mounts are ever in each other's way, neither by path nor by what they mount. */
export const mountsNeverConflict: Check = ({ outcome }) =>
  states(outcome.log).flatMap(({ sequence, '/mount': mounts }) => {
    const entries = Object.entries(mounts).map(([path, ufs]) => [path, trimmed(ufs)] as const);
    return entries.flatMap(([path, ufs], i) =>
      entries
        .filter((_, other) => other !== i)
        .filter(([otherPath, otherUfs]) => isWithin(path, otherPath) || isWithin(ufs, otherUfs))
        .map(([otherPath]) => `at sequence ${sequence}, ${path} and ${otherPath} are in each other's way`),
    );
  });

/** The highest sequence that had been told to anyone by a moment. */
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
