import { type FileFailure, type PlannedBatch } from '#contexts/jobs';

/** How an event type is shown to auditors. Only the data named here is shown. */
export interface Presentation<Data> {
  /** The scope (first part of the boundary) of events of this type. */
  readonly scope: Scope;
  /** @param jobId the id in the boundary's name, if it is a job's boundary */
  show(data: Data, jobId: string): Record<string, unknown>;
  /** Namespace and UFS paths that the event names, unchanged. */
  paths?(data: Data): readonly string[];
  /** Ids of jobs, workers and coordinators that the event names, besides those in its boundary's name. */
  ids?(data: Data): readonly string[];
}

export const scopes = [
  ...(['namespace', 'membership', 'slot', 'job', 'batch', 'quota', 'file-index', 'log', 'checkpoint'] as const),
] as const;
export type Scope = (typeof scopes)[number];

/** These scopes have many boundaries. Each of the other scopes is one boundary. */
export const dividedScopes: readonly Scope[] = ['slot', 'job', 'batch'];

export function shownBatch({ id, workerId, copy, files, bytes }: PlannedBatch): Record<string, unknown> {
  return { id, workerId, copy, files, bytes };
}

export function shownFailures(failures: readonly FileFailure[]): Record<string, unknown>[] {
  return failures.map(({ path, reason, attempts }) => ({ path, reason, attempts }));
}

export const pathsOfFailures = (failures: readonly FileFailure[]): string[] => failures.map(({ path }) => path);

/** Drops undefined fields. */
export function present(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}
