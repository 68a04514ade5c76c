import { normalizeNamespacePath, normalizeUfsPath } from '#contexts/namespace';
import { DomainError } from '#kernel';
import { parseMoment, queryText, type Moment } from '#runtime';
import { barePath, parseCursor, presentations, scopes, type Cursor, type EventFilter, type Scope } from '../index.js';

/** A valid query of the log. */
export interface EventQuery {
  readonly filter: EventFilter;
  readonly from?: Moment;
  /** The given ones of `to` and `asOf`. The earliest of them ends the query. */
  readonly to: readonly Moment[];
  readonly after?: Cursor;
  readonly count?: number;
  readonly format: 'json' | 'jsonl';
}

type Query = Readonly<Record<string, unknown>>;
type JobKindNames = readonly string[];

const maxCount = 1000;
/** The form in which actors and request ids are recorded. */
const token = /^[\x21-\x7e]{1,128}$/;

/** @throws DomainError Malformed, naming the parameter and what was expected */
export function parseEventQuery(query: Query, accept: string | undefined, jobKinds: JobKindNames): EventQuery {
  const after = queryText(query.after);
  const moments = (['to', 'asOf'] as const).flatMap((name) => momentOf(query, name) ?? []);
  return {
    filter: parseFilter(query, jobKinds),
    from: momentOf(query, 'from'),
    to: moments,
    after: after === undefined ? undefined : cursorOf(after, 'after'),
    count: countOf(query),
    format: formatOf(query, accept),
  };
}

/** Where a stream begins: after a cursor, or at a moment; without either, now. @throws DomainError Malformed */
export function parseStreamQuery(
  query: Query,
  lastEventId: string | undefined,
  jobKinds: JobKindNames,
): { filter: EventFilter; from?: Moment; after?: Cursor } {
  for (const name of ['to', 'asOf', 'count', 'format'] as const) {
    if (queryText(query[name]) !== undefined) {
      throw malformed(name, `cannot be given here: a stream goes on until its client leaves; use /api/v1/events`);
    }
  }
  // The header wins: a browser that reconnects sends it together with the original query.
  const given = lastEventId || queryText(query.lastEventId);
  return {
    filter: parseFilter(query, jobKinds),
    from: momentOf(query, 'from'),
    after: given === undefined ? undefined : cursorOf(given, lastEventId ? 'Last-Event-ID' : 'lastEventId'),
  };
}

function parseFilter(query: Query, jobKinds: JobKindNames): EventFilter {
  const id = queryText(query.id);
  const actor = queryText(query.actor);
  const path = queryText(query.path);
  if (id !== undefined && !token.test(id)) throw malformed('id', 'must be 1 to 128 printable characters');
  if (actor !== undefined && !token.test(actor)) throw malformed('actor', 'must be 1 to 128 printable characters');
  return {
    ...kindOf(query, jobKinds),
    ...(id === undefined ? {} : { id }),
    ...(actor === undefined ? {} : { actor }),
    ...(path === undefined ? {} : { path: pathOf(path) }),
    ...typesOf(query),
  };
}

function kindOf(query: Query, jobKinds: JobKindNames): Pick<EventFilter, 'scope' | 'jobKind'> {
  const kind = queryText(query.kind);
  if (kind === undefined) return {};
  if ((scopes as readonly string[]).includes(kind)) return { scope: kind as Scope };
  if (jobKinds.includes(kind)) return { jobKind: kind };
  const known = [...scopes, ...jobKinds].join(', ');
  throw malformed('kind', `must be one of ${known}: ${kind.slice(0, 100)}`);
}

function typesOf(query: Query): Pick<EventFilter, 'types'> {
  const text = queryText(query.type);
  if (text === undefined) return {};
  const types = text.split(',');
  const unknown = types.find((type) => !Object.hasOwn(presentations, type));
  if (unknown === undefined) return { types };
  throw malformed('type', `must be event types such as Mounted,Unmounted: there is no '${unknown.slice(0, 100)}'`);
}

function pathOf(path: string): string {
  return barePath(path.startsWith('/') ? normalizeNamespacePath(path) : normalizeUfsPath(path));
}

function momentOf(query: Query, name: 'from' | 'to' | 'asOf'): Moment | undefined {
  const text = queryText(query[name]);
  return text === undefined ? undefined : parseMoment(text, name);
}

function cursorOf(text: string, name: string): Cursor {
  const cursor = parseCursor(text);
  if (cursor) return cursor;
  throw malformed(name, `must be a log sequence, or the lastKey of a page: ${text.slice(0, 100)}`);
}

function countOf(query: Query): number | undefined {
  const text = queryText(query.count);
  if (text === undefined) return undefined;
  const count = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (count >= 1 && count <= maxCount) return count;
  throw malformed('count', `must be a whole number from 1 to ${maxCount}: ${text.slice(0, 100)}`);
}

function formatOf(query: Query, accept: string | undefined): 'json' | 'jsonl' {
  const format = queryText(query.format);
  if (format === undefined) return accept?.includes('application/x-ndjson') ? 'jsonl' : 'json';
  if (format === 'json' || format === 'jsonl') return format;
  throw malformed('format', `must be json or jsonl: ${format.slice(0, 100)}`);
}

function malformed(name: string, expected: string): DomainError {
  return new DomainError('Malformed', 'bad-parameter', `${name} ${expected}`);
}
