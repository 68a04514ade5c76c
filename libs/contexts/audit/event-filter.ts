import { batchBoundary, jobBoundary, quotaBoundary } from '#contexts/jobs';
import { plainUfsPath } from '#contexts/namespace';
import { type Commit, idsOf, type RecordedEvent, scopeOf } from '#kernel';
import { dividedScopes, type Scope } from './presentation.js';
import { presentationOf } from './presenter.js';

/** What an auditor asks for. An event must match all of it. */
export interface EventFilter {
  readonly scope?: Scope;
  /** Only events of jobs of this kind. `matches` ignores it, because not every event names its kind of job. */
  readonly jobKind?: string;
  /** Id of a job, a worker, a coordinator, an event or a request. */
  readonly id?: string;
  /** A namespace or UFS path as `barePath` makes it: events that name it or something below it. */
  readonly path?: string;
  readonly types?: readonly string[];
  readonly actor?: string;
}

/** Whether an event matches the filter, except for `jobKind`. */
export function matches(filter: EventFilter, commit: Commit, event: RecordedEvent): boolean {
  const { scope, id, path, types, actor } = filter;
  return (
    (scope === undefined || scopeOf(commit.boundary) === scope) &&
    (types === undefined || types.includes(event.type)) &&
    (actor === undefined || event.actor === actor) &&
    (id === undefined || names(commit, event, id)) &&
    (path === undefined || (presentationOf(event.type).paths?.(event.data) ?? []).some((one) => isAtOrBelow(path, one)))
  );
}

function names(commit: Commit, event: RecordedEvent, id: string): boolean {
  if (event.id === id || event.requestId === id) return true;
  if (idsOf(commit.boundary).includes(id)) return true;
  return presentationOf(event.type).ids?.(event.data).includes(id) ?? false;
}

/**
 * A path in the form for comparison: without repeated slashes where they mean nothing, without a trailing slash, and
 * with the plainest of several schemes that mean the same.
 */
export function barePath(path: string): string {
  const plain = path.startsWith('/') ? path.replace(/\/{2,}/g, '/') : plainUfsPath(path);
  return plain.replace(/\/$/, '');
}

/** Whether a path is `root` (bare) itself or lies below it, segment by segment: `/a/b` is not below `/a/b0`. */
export function isAtOrBelow(root: string, path: string): boolean {
  const bare = barePath(path);
  return bare === root || bare.startsWith(`${root}/`);
}

/**
 * The boundaries to read, as filters of the log (`Names.eventFilter`). The caller merges several of them.
 * @param slot slot boundary of the job that `filter.id` names, if known: then only this job's boundaries and `quota`
 */
export function boundaryFilters({ scope, id, types }: EventFilter, slot?: string): string[] {
  if (id !== undefined && slot !== undefined) {
    const own = [slot, jobBoundary.of(id), batchBoundary.of(id, '*'), quotaBoundary.name];
    return own.filter((boundary) => scope === undefined || scopeOf(boundary) === scope);
  }
  const wanted = scope === undefined ? [...new Set((types ?? []).map((type) => presentationOf(type).scope))] : [scope];
  if (wanted.length !== 1) return ['>'];
  return [dividedScopes.includes(wanted[0]) ? `${wanted[0]}.>` : wanted[0]];
}
