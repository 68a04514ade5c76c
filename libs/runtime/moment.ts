import { DomainError } from '#kernel';

/** A place in the log, by its sequence or by the time. */
export type Moment = { readonly sequence: number } | { readonly timeMs: number };

const isoTime = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:?\d\d))?$/;
const expected = 'a log sequence or an ISO 8601 time with its zone, such as 2026-01-31T12:00:00Z';

/**
 * Parses `17`, `2026-01-31` (midnight, UTC), `2026-01-31T12:00:00.5Z`, `2026-01-31T12:00+01:00`. The plus may have
 * arrived as a space, which is its meaning in a query.
 * @throws DomainError Malformed, naming the field and what was expected
 */
export function parseMoment(text: string, field: string): Moment {
  if (/^\d{1,15}$/.test(text)) return { sequence: Number(text) };
  const time = text.replace(/ (?=\d\d:?\d\d$)/, '+');
  const timeMs = isoTime.test(time) && isOnCalendar(time) ? Date.parse(time) : NaN;
  if (Number.isNaN(timeMs)) {
    throw new DomainError('Malformed', 'bad-moment', `${field} must be ${expected}: ${text.slice(0, 100)}`);
  }
  return { timeMs };
}

/** Needed because `Date.parse` turns 31 November into 1 December. */
function isOnCalendar(time: string): boolean {
  const [year, month, day] = time.slice(0, 10).split('-').map(Number);
  const date = new Date(Date.UTC(year, month - 1, day));
  return date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
}
