import { forgedMark } from '../harness/stranger.js';
import { describeCall, type Check } from './check.js';

/**
 * No answer depends on a message that a stranger has put into the log. All these messages are void, and no others. No
 * forged content is in any answer, and no message counts twice.
 */
export const nothingForgedCounts: Check = ({ calls, outcome }) => {
  const { log, forged, answers } = outcome;
  const believed = log.filter(({ digest }) => digest !== undefined && forged.madeUp.has(digest));
  const own = outcome.void.filter(({ digest }) => !forged.sent.has(digest));
  const once = new Set<string>();
  const twice = log.filter(({ digest }) => {
    if (digest === undefined) return false;
    const known = once.has(digest);
    once.add(digest);
    return known;
  });
  const answered = calls.filter(({ answer }) => JSON.stringify(answer?.body ?? '').includes(forgedMark));
  const atTheEnd = Object.entries(answers).filter(([, all]) => JSON.stringify(all).includes(forgedMark));
  return [
    ...believed.map(({ sequence, boundary }) => `a forgery is accepted: ${sequence} on ${boundary}`),
    ...own.map(
      ({ sequence, boundary, reason }) => `the cluster's own message is void: ${sequence} on ${boundary} (${reason})`,
    ),
    ...twice.map(({ sequence, boundary }) => `a replay is accepted: ${sequence} on ${boundary}`),
    ...answered.map((call) => `an answer contains a forgery: ${describeCall(call)}`),
    ...atTheEnd.map(([path]) => `at the end the answer to ${path} contains a forgery`),
  ];
};
