import { isDeepStrictEqual } from 'node:util';
import { loadOptionsOf } from '../harness/traffic.js';
import type { FinalJob } from '../harness/collect.js';
import type { Call } from '../harness/history.js';
import { allTargets, type Target } from '../harness/sources.js';
import { describeCall, type Check } from './check.js';

type Body = Readonly<Record<string, unknown>>;
const number = (body: Body, field: string): number => Number(body[field] ?? 0);
const short = ({ id, kind, told }: FinalJob): string => `${kind} ${id} ${JSON.stringify(told[0])}`;

/** Every job has ended or was stopped. */
export const everyJobEnds: Check = ({ outcome }) =>
  outcome.jobs
    .filter(({ told }) => !told.every(({ state }) => ['SUCCEEDED', 'FAILED', 'STOPPED'].includes(String(state))))
    .map((job) => `has not ended: ${short(job)}`);

/** At rest, all coordinators give the same answers. */
export const allAgree: Check = ({ outcome }) => {
  // The elapsed time of a stopped job increases, and the answers do not come in the same millisecond.
  const comparable = ({ state, timeElapsedMilliseconds, ...rest }: Body): Body =>
    state === 'STOPPED' ? { state, ...rest } : { state, timeElapsedMilliseconds, ...rest };
  const jobs = outcome.jobs
    .filter(({ told }) => !told.every((one) => isDeepStrictEqual(comparable(one), comparable(told[0]))))
    .map(({ id, told }) => `coordinators differ about job ${id}: ${JSON.stringify(told)}`);
  const others = Object.entries(outcome.answers)
    .filter(([path, answers]) => path !== '/nodes' && !answers.every((one) => isDeepStrictEqual(one, answers[0])))
    .map(([path, answers]) => `coordinators differ about ${path}: ${JSON.stringify(answers)}`);
  return [...jobs, ...others];
};

/** A target has at most one unfinished job. A client that submits the target again gets the id of that job. */
export const oneWinner: Check = ({ calls, outcome }) => {
  const problems: string[] = [];
  const slots = new Map<string, { id: string; from: number }>();
  const ended = new Map<string, number>();
  for (const { sequence, boundary, events } of outcome.log) {
    const id = boundary.split('.')[1];
    for (const { type, data } of events) {
      if (type === 'JobFinished') ended.set(id, sequence);
      if (type !== 'JobSubmitted') continue;
      const { jobId, kind, target } = data as { jobId: string; kind: string; target: string };
      const before = slots.get(`${kind} ${target}`);
      if (before !== undefined && !ended.has(before.id)) {
        problems.push(`commit ${sequence} submits ${jobId} while ${before.id} holds the ${kind} of ${target}`);
      }
      slots.set(`${kind} ${target}`, { id: jobId, from: sequence });
    }
  }
  const ids = new Set(outcome.jobs.map(({ id }) => id));
  for (const call of calls) {
    const id = (call.answer?.body as { id?: string } | undefined)?.id;
    if (call.method === 'POST' && id !== undefined && !ids.has(id)) {
      problems.push(`the answer has the id of no job: ${describeCall(call)}`);
    }
  }
  return problems;
};

/** Far longer than a load of some hundred small files, and shorter than the time limits of requests to a store. */
const atTheirPaceMs = 15_000;
const sickStore = /^s3-(throttle|hang)-one$/;

/**
 * While one store throttles or hangs without another fault, loads from the other store end at their usual pace. The check
 * looks at loads that were submitted meanwhile and had enough time without another fault.
 */
export const neighboursGoOn: Check = ({ outcome, faults, sources }) => {
  const kept = new Set(sources.kept.map(({ path }) => path));
  const others = faults.filter(({ kind, victims }) => victims.length > 0 && !sickStore.test(kind));
  const isQuiet = (fromMs: number, toMs: number) =>
    others.every(({ startMs, endMs = Infinity }) => endMs < fromMs - atTheirPaceMs || startMs > toMs);
  const times = jobTimes(outcome.log);
  return outcome.jobs.flatMap((job) => {
    const time = times.get(job.id);
    const path = String((job.told[0]['paths'] as string[] | undefined)?.[0]);
    if (job.kind !== 'load' || !kept.has(path) || time === undefined) return [];
    const [fromMs, endMs] = [time.submittedMs, time.endMs ?? Infinity].map((ms) => ms - performance.timeOrigin);
    const sick = faults.some(
      (fault) => sickStore.test(fault.kind) && fault.startMs < fromMs && (fault.endMs ?? Infinity) > fromMs,
    );
    if (!sick || !isQuiet(fromMs, fromMs + atTheirPaceMs) || endMs - fromMs < atTheirPaceMs) return [];
    return [`a load of ${path} beside a sick store took ${Math.round(endMs - fromMs)} ms: ${short(job)}`];
  });
};

/** Times of each job by its id, in milliseconds since the epoch. A stop counts as an end. */
function jobTimes(log: Parameters<Check>[0]['outcome']['log']): Map<string, { submittedMs: number; endMs?: number }> {
  const times = new Map<string, { submittedMs: number; endMs?: number }>();
  for (const { boundary, events } of log) {
    for (const { type, at, data } of events) {
      if (type === 'JobSubmitted') times.set((data as { jobId: string }).jobId, { submittedMs: Date.parse(at) });
      const known = times.get(boundary.split('.')[1]);
      if (known && (type === 'JobFinished' || type === 'JobStopped')) known.endMs ??= Date.parse(at);
    }
  }
  return times;
}

const counters = ['loadedFiles', 'skippedFiles', 'filteredFiles', 'scannedFiles', 'epoch'];

/** The counters of a later answer are not lower, unless an answer is marked as stale. */
export const countersNeverFall: Check = ({ calls }) => {
  const fresh = calls.filter(
    ({ path, answer }) => path.startsWith('/load?id=') && answer?.status === 200 && !answer.stale,
  );
  const problems: string[] = [];
  for (const [id, reads] of groupBy(fresh, ({ path }) => path)) {
    const inOrder = [...reads].sort((a, b) => a.endMs - b.endMs);
    for (const [i, later] of inOrder.entries()) {
      // The latest read that had ended when this one began.
      const earlier = inOrder.slice(0, i).findLast(({ endMs }) => endMs < later.startMs);
      if (earlier === undefined) continue;
      const [before, after] = [earlier, later].map(({ answer }) => answer!.body as Body);
      const fallen = counters.filter((field) => number(after, field) < number(before, field));
      const ended = ['SUCCEEDED', 'FAILED'].includes(String(before['state'])) && after['state'] !== before['state'];
      if (fallen.length > 0 || ended) {
        const what = ended ? 'its end was undone' : `${fallen.join(', ')} fell`;
        problems.push(`${id}: ${what} between ${describeCall(earlier)} and ${describeCall(later)}`);
      }
    }
  }
  return problems;
};

/** Every file is counted exactly once. */
export const countsAddUp: Check = ({ outcome, sources }) => {
  const targets = new Map(allTargets(sources).map((target) => [target.path, target]));
  return outcome.jobs.flatMap((job) => {
    const [body] = job.told;
    if (job.kind !== 'load' || body['state'] === 'STOPPED') return [];
    const path = String((body['paths'] as string[] | undefined)?.[0]);
    return loadProblems(body, targets.get(path)).map((problem) => `${problem}: ${short(job)}`);
  });
};

/** Files of a target that match the filter of its loads. */
export function wantedFiles({ path, files }: Target): Target['files'] {
  const { fileFilterRegex } = loadOptionsOf(path);
  if (fileFilterRegex === undefined) return files;
  const pattern = new RegExp(`^(?:${fileFilterRegex as string})$`);
  return files.filter((file) => pattern.test(file.path.slice(file.path.lastIndexOf('/') + 1)));
}

function loadProblems(body: Body, target: Target | undefined): string[] {
  const sum = ['loadedFiles', 'skippedFiles', 'failedFiles', 'filteredFiles', 'inFlightFiles']
    .map((field) => number(body, field))
    .reduce((a, b) => a + b, 0);
  const scanned = number(body, 'scannedFiles');
  const problems = scanned === sum ? [] : [`scanned ${scanned}, but the outcomes add up to ${sum}`];
  if (body['state'] !== 'SUCCEEDED' || target === undefined) return problems;
  if (scanned !== target.files.length) problems.push(`scanned ${scanned} of ${target.files.length} files`);
  if (number(body, 'failedFiles') > 0) problems.push('SUCCEEDED with failed files');
  const filtered = target.files.length - wantedFiles(target).length;
  if (number(body, 'filteredFiles') !== filtered) problems.push(`filteredFiles is not ${filtered}`);
  return problems;
}

function groupBy<T>(items: readonly T[], key: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) groups.set(key(item), [...(groups.get(key(item)) ?? []), item]);
  return groups;
}

export type { Call };
