import { type FileFailure, type PlannedBatch } from '#contexts/jobs';

/** How an event type is shown to auditors. Nothing of its data leaves that is not named here. */
export interface Presentation<Data> {
  /** The scope (first part of the boundary) that events of this type stand in. */
  readonly scope: Scope;
  /** @param jobId of the boundary, where that is a job's */
  show(data: Data, jobId: string): Record<string, unknown>;
  /** Namespace and UFS paths that the event names, as they stand in it. */
  paths?(data: Data): readonly string[];
  /** Ids of jobs, workers and coordinators that the event names beside those of its boundary. */
  ids?(data: Data): readonly string[];
}

export const scopes = [
  ...(['namespace', 'membership', 'slot', 'job', 'batch', 'quota', 'file-index', 'log', 'checkpoint'] as const),
] as const;
export type Scope = (typeof scopes)[number];

/** These scopes have a boundary each for many things; the others are one boundary. */
export const dividedScopes: readonly Scope[] = ['slot', 'job', 'batch'];

export function shownBatch({ id, workerId, copy, files, bytes }: PlannedBatch): Record<string, unknown> {
  return { id, workerId, copy, files, bytes };
}

export function shownFailures(failures: readonly FileFailure[]): Record<string, unknown>[] {
  return failures.map(({ path, reason, attempts }) => ({ path, reason, attempts }));
}

export const pathsOfFailures = (failures: readonly FileFailure[]): string[] => failures.map(({ path }) => path);

/** Only what is there. */
export function present(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}
