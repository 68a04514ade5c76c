import { type DomainError, type ErrorKind } from '#kernel';

/** What each kind of error means over HTTP. */
const httpStatuses: Readonly<Record<ErrorKind, number>> = {
  Malformed: 400,
  NotFound: 404,
  Refused: 409,
  // Reaches a client only after every retry conflicted: the boundary has more writers than it can take.
  StaleVersion: 503,
  Unavailable: 503,
  Bug: 500,
};

export function httpStatusOf(error: DomainError): number {
  return error.details.httpStatus ?? httpStatuses[error.kind];
}
