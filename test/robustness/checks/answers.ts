import { isDeepStrictEqual } from 'node:util';
import { answerLimitMs } from '../harness/client.js';
import type { Call, Fault } from '../harness/history.js';
import { describeCall, type Check } from './check.js';

const name = (call: Call): string => `coordinator-${call.coordinator + 1}`;

/** Whether a fault of these kinds hit the coordinator's process while it had the request. */
function wasDisturbed(call: Call, faults: readonly Fault[], kinds = /^(kill|roll|pause)-coordinator$|^blackout$/) {
  return faults.some(
    ({ kind, victims, startMs, endMs = Number.POSITIVE_INFINITY }) =>
      kinds.test(kind) &&
      (victims.includes(name(call)) || victims.includes('everything')) &&
      startMs <= call.endMs &&
      endMs >= call.startMs,
  );
}

/** A running coordinator answers in time, whatever happens to the rest. */
export const nothingHangs: Check = ({ calls, faults }) =>
  calls
    .filter((call) => call.endMs - call.startMs > answerLimitMs && !wasDisturbed(call, faults))
    .map((call) => `took ${Math.round(call.endMs - call.startMs)} ms: ${describeCall(call)}`);

/** A coordinator that is told to stop answers its earlier requests first, unless it is killed meanwhile. */
export const leaversAnswer: Check = ({ calls, faults }) => {
  const leaving = faults.filter(({ kind }) => kind === 'roll-coordinator');
  return calls
    .filter(({ lost }) => lost !== undefined)
    .filter((call) =>
      leaving.some(
        ({ victims, startMs }) => victims.includes(name(call)) && call.startMs < startMs && call.endMs > startMs,
      ),
    )
    .filter((call) => !wasDisturbed(call, faults, /^(kill|pause)-coordinator$|^blackout$/))
    .filter((call) => !wasNotListening(call, calls))
    .map((call) => `sent before the stop, and not answered: ${describeCall(call)}`);
};

/** A coordinator that is told to stop during its start refuses connections before and after. */
function wasNotListening(call: Call, calls: readonly Call[]): boolean {
  const before = calls.filter(({ coordinator, endMs }) => coordinator === call.coordinator && endMs <= call.startMs);
  const last = before.reduce<Call | undefined>((a, b) => (a && a.endMs > b.endMs ? a : b), undefined);
  return [call, last].every((one) => one?.lost?.includes('ECONNREFUSED') === true);
}

const allowed = [200, 400, 404, 409, 410, 503, 504];

/** Every error is one that the API documents for this case. There is no internal error. */
export const onlyKnownStatuses: Check = ({ calls }) =>
  calls
    .filter(({ answer }) => answer !== undefined && !allowed.includes(answer.status))
    .map((call) => `unexpected status: ${describeCall(call)}`);

/** Every coordinator finds a job whose id a client knows. */
export const neverNotFound: Check = ({ calls }) =>
  calls
    .filter(({ answer, path }) => answer?.status === 404 && path.includes('?id='))
    .map((call) => `an existing job was not found: ${describeCall(call)}`);

/** No process ends unless the harness ends it. */
export const noAccidents: Check = ({ accidents }) => accidents.map((what) => `accident: ${what}`);

/** A page of events equals the log behind its cursor, in order and without a gap. */
export const eventsAreTheLog: Check = ({ calls, outcome }) => {
  const all = outcome.log.flatMap(({ sequence, events }) => events.map(({ id, type }) => ({ sequence, id, type })));
  return calls.flatMap((call) => {
    const after = /^\/events\?after=(\d+)/.exec(call.path)?.[1];
    if (after === undefined || call.answer?.status !== 200) return [];
    const { results } = call.answer.body as { results: { sequence: number; id: string; type: string }[] };
    const told = results.map(({ sequence, id, type }) => ({ sequence, id, type }));
    const first = all.findIndex(({ sequence }) => sequence > Number(after));
    const expected = first < 0 ? [] : all.slice(first, first + told.length);
    return isDeepStrictEqual(told, expected) ? [] : [`not the log behind ${after}: ${describeCall(call)}`];
  });
};
