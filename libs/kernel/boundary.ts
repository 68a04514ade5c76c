import { type EventCatalogue } from './event-schema.js';
import { type Commit, type Recorded } from './event.js';

/** The events that a catalogue declares, as a union with one member for each type and its data. */
export type EventOf<Catalogue extends EventCatalogue> = {
  [Type in keyof Catalogue & string]: { type: Type; data: ReturnType<Catalogue[Type]['schema']['parse']> };
}[keyof Catalogue & string];

/** The parts of a commit that a boundary needs. */
type Written = Pick<Commit, 'boundary' | 'events'>;

/** A consistency boundary of the log: its name, without the cluster's prefix, and which events are written there. */
export interface Boundary<Catalogue extends EventCatalogue> {
  readonly name: string;
  /** What may be written there. */
  readonly events: Catalogue;
  /** The events of a commit with their types; empty if it belongs to another boundary. */
  eventsIn(commit: Written): readonly Recorded<EventOf<Catalogue>>[];
}

/** Boundaries of one sort, such as one for each job: their names are `<scope>.<id>…`. */
export interface BoundaryFamily<Ids extends readonly string[], Catalogue extends EventCatalogue> {
  readonly scope: string;
  /** What may be written there. */
  readonly events: Catalogue;
  /** The name of the boundary with these ids. */
  of(...ids: { [Index in keyof Ids]: string }): string;
  /** The ids in a boundary's name, by what each means; undefined for a boundary of another sort. */
  idsIn(boundary: string): Record<Ids[number], string> | undefined;
  /** The events of a commit with their types; empty if it belongs to a boundary of another sort. */
  eventsIn(commit: Written): readonly Recorded<EventOf<Catalogue>>[];
}

/** Declares a boundary. All code that reads or writes it uses this object. */
export function defineBoundary<Catalogue extends EventCatalogue>(name: string, events: Catalogue): Boundary<Catalogue> {
  return { name, events, eventsIn: (commit) => (commit.boundary === name ? typed(commit) : []) };
}

/**
 * Declares the boundaries of one sort.
 * @param ids what the tokens behind the scope name, in order, such as `['jobId', 'workerId']`
 */
export function defineBoundaries<const Ids extends readonly string[], Catalogue extends EventCatalogue>(
  scope: string,
  ids: Ids,
  events: Catalogue,
): BoundaryFamily<Ids, Catalogue> {
  const prefix = `${scope}.`;
  // Asked of every commit that is folded: a boundary of another sort costs no more than the comparison.
  // A commit is asked about several times in a row: its tokens are kept until the next one.
  let last: { readonly boundary: string; readonly tokens: readonly string[] | undefined } | undefined;
  const tokensOf = (boundary: string): readonly string[] | undefined => {
    if (!boundary.startsWith(prefix)) return undefined;
    if (last?.boundary !== boundary) {
      const tokens = boundary.slice(prefix.length).split('.');
      last = { boundary, tokens: tokens.length === ids.length ? tokens : undefined };
    }
    return last.tokens;
  };
  return {
    scope,
    events,
    of: (...given) => prefix + given.join('.'),
    idsIn(boundary) {
      const tokens = tokensOf(boundary);
      if (tokens === undefined) return undefined;
      const named: Record<string, string> = {};
      for (let i = 0; i < ids.length; i++) named[ids[i]] = tokens[i];
      return named;
    },
    eventsIn: (commit) => (tokensOf(commit.boundary) === undefined ? [] : typed(commit)),
  };
}

/** The first token of a boundary's name. */
export function scopeOf(boundary: string): string {
  const end = boundary.indexOf('.');
  return end < 0 ? boundary : boundary.slice(0, end);
}

/** The ids in a boundary's name, as `idsIn` of its sort names them; none where the scope has one boundary only. */
export function idsOf(boundary: string): string[] {
  return boundary.split('.').slice(1);
}

/**
 * The only place where events get their types. The cast is safe: the codec has validated the data of each by its type.
 */
function typed<Event>({ events }: Written): readonly Event[] {
  return events as unknown as readonly Event[];
}
