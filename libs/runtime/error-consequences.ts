import { type DomainError, type ErrorKind } from '#kernel';

/** What a consumer of a queue does with a message whose handling ended in such an error. */
export type Consequence = 'ack' | 'retry' | 'park';

/** The one place that says what each kind of error means. */
const consequences: Readonly<Record<ErrorKind, { httpStatus: number; consumer: Consequence }>> = {
  Malformed: { httpStatus: 400, consumer: 'park' },
  NotFound: { httpStatus: 404, consumer: 'ack' },
  Refused: { httpStatus: 409, consumer: 'ack' },
  // Reaches a client only after every retry conflicted: the boundary is busier than it can be.
  StaleVersion: { httpStatus: 503, consumer: 'retry' },
  Unavailable: { httpStatus: 503, consumer: 'retry' },
  Bug: { httpStatus: 500, consumer: 'park' },
};

export function httpStatusOf(error: DomainError): number {
  return error.details.httpStatus ?? consequences[error.kind].httpStatus;
}

export function consumerConsequenceOf(error: DomainError): Consequence {
  return consequences[error.kind].consumer;
}
