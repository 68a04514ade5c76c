import { DomainError } from '#kernel';
import type { JobRecord, JobsViewState } from './jobs.view.js';

/** Questions to the jobs view. */

/**
 * The bytes below a quota that running jobs have planned or reserved and not yet loaded.
 * @param except the id of a job whose reservation for its next stretch does not count: it is about to reserve again
 */
export function reservedBytes(view: JobsViewState, quotaUfsPath: string, except?: string): number {
  let bytes = 0;
  for (const record of view.jobs.values()) {
    if (record.state.status !== 'running') continue;
    if (record.jobId !== except) bytes += record.reservation?.bytes[quotaUfsPath] ?? 0;
    for (const batch of Object.values(record.inFlight)) {
      if (!batch.withdrawn) bytes += batch.quotaBytes?.[quotaUfsPath] ?? 0;
    }
  }
  return bytes;
}

export function findJob(view: JobsViewState, kind: string, jobId: string): JobRecord | undefined {
  const record = view.jobs.get(jobId);
  return record?.kind === kind ? record : undefined;
}

/** The newest job of the kind for which `matches` holds. */
export function newestJob(
  view: JobsViewState,
  kind: string,
  matches: (record: JobRecord) => boolean,
): JobRecord | undefined {
  return [...view.jobs.values()].findLast((record) => record.kind === kind && matches(record));
}

export const wireStates = ['RUNNING', 'VERIFYING', 'STOPPED', 'SUCCEEDED', 'FAILED'] as const;
/** The `state` of the reference. */
export type WireState = (typeof wireStates)[number];

export interface JobPage {
  lastKey?: string;
  count?: number;
  readonly matches?: (record: JobRecord) => boolean;
}

/**
 * Jobs of a kind that match, in submission order, after `lastKey` (a job id), at most `count`. The job of `lastKey`
 * need not match any longer.
 * @throws DomainError Malformed when no job of that id is in memory
 */
export function listJobs(view: JobsViewState, kind: string, page: JobPage = {}): JobRecord[] {
  const all = [...view.jobs.values()].filter((record) => record.kind === kind);
  const last = page.lastKey === undefined ? -1 : all.findIndex((record) => record.jobId === page.lastKey);
  if (page.lastKey !== undefined && last < 0) {
    throw new DomainError('Malformed', 'bad-last-key', `lastKey must be the id of a listed job: ${page.lastKey}`);
  }
  const behind = all.slice(last + 1);
  const { matches } = page;
  return (matches ? behind.filter(matches) : behind).slice(0, page.count);
}
