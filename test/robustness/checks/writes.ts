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
 * Whether an answer of 200 says that something was written. Stopping what has stopped writes nothing, nor does setting a
 * policy to what it is: `readsAreFresh` looks at those.
 */
const mustWrite = (call: Call): boolean =>
  call.answer?.status === 200 &&
  (call.path === '/mount' || (call.method === 'POST' && isJob(call)) || (call.method === 'DELETE' && isPolicy(call)));

/** What was acknowledged is in the log, once; what was refused is not; what is unknown is there at most once. */
export const acknowledgedOnce: Check = ({ calls, outcome }) => {
  const found = effects(outcome.log);
  return calls.flatMap((call) => {
    if (call.method === 'GET') return [];
    const commits = found.get(call.id) ?? [];
    const where = `commits ${commits.map(({ sequence }) => sequence).join(', ')}`;
    if (mustWrite(call) && commits.length === 0) return [`acknowledged and lost: ${describeCall(call)}`];
    if (commits.length > 1) return [`carried out ${commits.length} times (${where}): ${describeCall(call)}`];
    const { status = 0 } = call.answer ?? {};
    const refused = status >= 400 && status < 500;
    // A submission of a target that was stopped is refused with the id, and resumes it.
    const resumed = (call.answer?.body as { resumed?: unknown } | undefined)?.resumed === true;
    if (refused && !resumed && commits.length > 0) {
      return [`refused and carried out (${where}): ${describeCall(call)}`];
    }
    return [];
  });
};

/** Each commit continues the one before it on its boundary: none is missing, changed or put in between. */
export const chainUnbroken: Check = ({ outcome }) =>
  outcome.log
    .filter(({ chained }) => !chained)
    .map(({ sequence, boundary }) => `commit ${sequence} does not continue the chain of ${boundary}`);
