import type { JobRecord } from '#contexts/jobs';

export { wireState } from '#contexts/jobs';

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

/** `{}` when there is nothing to say; else a sentence and the first failures by path. */
export function errorMessage(record: JobRecord): Record<string, unknown> {
  const message = record.outcome?.message ?? record.state.sourceError ?? '';
  const failures = record.failures.slice(0, shownFailures);
  return {
    ...(message === '' ? {} : { message }),
    ...(failures.length === 0 ? {} : { failures }),
  };
}
