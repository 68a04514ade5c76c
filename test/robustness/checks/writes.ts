import type { Logged } from '../harness/collect.js';
import type { Call } from '../harness/history.js';
import { describeCall, type Check } from './check.js';

/** Commits by the id of the request that caused them. Requests that wait for their turn together share a commit. */
function effects(log: readonly Logged[]): Map<string, Logged[]> {
  const found = new Map<string, Logged[]>();
  for (const commit of log) {
    for (const id of new Set(commit.events.map(({ requestId }) => requestId))) {
      found.set(id, [...(found.get(id) ?? []), commit]);
    }
  }
  return found;
}

const isJob = ({ path }: Call): boolean => ['/load', '/free', '/rebalance'].includes(path);

const isPolicy = ({ path }: Call): boolean => ['/ttl', '/priority', '/quota'].includes(path);

/**
 * Whether a call that returned 200 must have written a commit. A stop of a stopped job writes nothing, nor does setting a
 * policy to its current value: `readsAreFresh` checks those.
 */
const mustWrite = (call: Call): boolean =>
  call.answer?.status === 200 &&
  (call.path === '/mount' || (call.method === 'POST' && isJob(call)) || (call.method === 'DELETE' && isPolicy(call)));

/** An acknowledged write is in the log once, a refused one is not, and one without an answer is there at most once. */
export const acknowledgedOnce: Check = ({ calls, outcome }) => {
  const found = effects(outcome.log);
  return calls.flatMap((call) => {
    if (call.method === 'GET') return [];
    const commits = found.get(call.id) ?? [];
    const where = `commits ${commits.map(({ sequence }) => sequence).join(', ')}`;
    if (mustWrite(call) && commits.length === 0) return [`acknowledged but not in the log: ${describeCall(call)}`];
    if (commits.length > 1) return [`carried out ${commits.length} times (${where}): ${describeCall(call)}`];
    const { status = 0 } = call.answer ?? {};
    const refused = status >= 400 && status < 500;
    // A submission for a stopped job is refused with its id, and resumes it.
    const resumed = (call.answer?.body as { resumed?: unknown } | undefined)?.resumed === true;
    if (refused && !resumed && commits.length > 0) {
      return [`refused but carried out (${where}): ${describeCall(call)}`];
    }
    return [];
  });
};

/** Each commit names the digest of the one before it on its boundary: none is missing, changed or inserted. */
export const chainUnbroken: Check = ({ outcome }) =>
  outcome.log
    .filter(({ chained }) => !chained)
    .map(({ sequence, boundary }) => `commit ${sequence} does not continue the chain of ${boundary}`);
