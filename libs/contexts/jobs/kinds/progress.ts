import { answerAs } from '#schema';
import type { JobRecord } from '../index.js';
import type { JobWait, LiveProgress } from './coordinator-kind.js';
import { errorMessageAnswer, type ErrorMessage, type waits } from './job.answers.js';

/** How many failures stand in `errorMessage`; all of them are behind `failedFileListPath`. */
const shownFailures = 20;

/** `2024-11-21T20:58:26.957+00:00`: the reference shows a numeric offset, and some parsers insist on it. */
export function startTime(record: JobRecord): string {
  return record.submittedAt.replace(/Z$/, '+00:00');
}

/** Clocks of different machines may disagree; time never runs backwards for the reader. */
export function elapsedMs(record: JobRecord, nowMs: number): number {
  const endMs = record.endedAt === undefined ? nowMs : Date.parse(record.endedAt);
  return Math.max(0, endMs - Date.parse(record.submittedAt));
}

/** `runningState` and details of a job that waits, to be shown over what it is at; empty for one that does not. */
export function waitOf({ wait }: LiveProgress): { runningState?: (typeof waits)[number]; waitingFor?: JobWait } {
  if (!wait) return {};
  return { runningState: wait.for === 'store' ? 'WAITING_FOR_STORE' : 'WAITING_FOR_WORKER', waitingFor: wait };
}

/** `{}` when there is nothing to say; else a sentence and the first failures by path. */
export function errorMessage(record: JobRecord, { wait }: LiveProgress): ErrorMessage {
  const said = record.outcome?.message ?? record.state.sourceError ?? '';
  const message = said === '' && wait ? `waiting: ${wait.reason}` : said;
  const failures = record.failures.slice(0, shownFailures);
  return answerAs(errorMessageAnswer, {
    ...(message === '' ? {} : { message }),
    ...(failures.length === 0 ? {} : { failures }),
  });
}
