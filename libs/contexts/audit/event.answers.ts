import {
  answerObject,
  anything,
  count,
  flag,
  listOf,
  recordOf,
  ref,
  text,
  uuid,
  wholeAnswer,
  type AnswerOf,
} from '#schema';

/** The answers of `/api/v1/events`. */

export const eventAnswer = answerObject(
  {
    sequence: count('Place of its commit in the log.'),
    index: count('Its place among the events of its commit, which are all or nothing.'),
    id: uuid('Its own.'),
    type: text('What happened.'),
    v: count('Version of the type.'),
    kind: text('Scope: the first part of the boundary.'),
    at: text('When it was decided, by the clock of who did; ISO 8601.'),
    recordedAt: text('When the log took it in, by the clock of NATS; ISO 8601.'),
    actor: text('Who asked: as told by X-Larder-Actor, `coordinator:<id>` or `worker:<id>`.'),
    source: text('Address that the request came from; absent where there was no request.'),
    requestId: text('As told by X-Request-Id, or made up.'),
    boundary: text('What it was decided on: commits of one boundary exclude each other.'),
    data: recordOf(anything, 'By type. Secrets stand there as `******`.'),
  },
  ['source'],
);
/** An event as auditors see it. */
export type AuditEvent = AnswerOf<typeof eventAnswer>;

export const eventPageAnswer = wholeAnswer({
  results: listOf(ref<AuditEvent>('Event')),
  lastKey: text('Ask on with it as `after`, now or when there may be more.'),
  scannedThrough: count('Log sequence up to which the log was looked at.'),
  complete: flag('Nothing more was in the log that is asked for.'),
});
export type EventPage = AnswerOf<typeof eventPageAnswer>;
