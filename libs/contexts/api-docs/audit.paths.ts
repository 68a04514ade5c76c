import { eventPageAnswer } from '#contexts/audit';
import { ref } from '#schema';
import { type Paths } from './openapi.js';
import { answer, query, readResponses } from './responses.js';

const tags = ['audit'] as const;
const moment = 'a log sequence, or an ISO 8601 time with its zone';

const filters = [
  query(
    'kind',
    'Scope: namespace, membership, slot, job, batch, quota, file-index, log or checkpoint; or a kind of jobs, such as load, for the events of jobs of that kind.',
  ),
  query('id', 'Of a job, a worker, an event or a request. An id of a job finds the events of that job.'),
  query('path', 'Namespace or UFS path: events that name it or something below it.'),
  query('type', 'Event types, several separated by commas.'),
  query('actor', 'Who asked, as recorded.'),
  query('from', `Not before: ${moment}; inclusive.`),
];

const example = {
  sequence: 17,
  index: 0,
  id: '3f0c9b0e-6f0f-4a86-9a6e-1f5b7b6f3f0a',
  type: 'QuotaSet',
  v: 1,
  kind: 'namespace',
  at: '2026-01-31T12:00:00.000Z',
  recordedAt: '2026-01-31T12:00:00.001Z',
  actor: 'alice',
  source: '10.1.2.3',
  requestId: 'r-42',
  boundary: 'namespace',
  data: { path: '/data/dir', quotaBytes: 10737418240 },
};

export const auditPaths: Paths = {
  '/api/v1/events': {
    get: {
      operationId: 'readEvents',
      tags,
      summary: 'Read the log as events',
      description:
        'One request looks at a bounded part of the log: ask on with `after` = `lastKey` until `complete`. As JSON Lines, all that match are streamed.',
      parameters: [
        ...filters,
        query('to', `Not later than: ${moment}; inclusive.`),
        query('asOf', 'The same as `to`.'),
        query('after', 'Only events behind this one: the `lastKey` of the page before, or a log sequence.'),
        query('count', 'At most so many events. Default 100; as JSON Lines all.', {
          type: 'integer',
          minimum: 1,
          maximum: 1000,
        }),
        query('format', 'json or jsonl; `Accept: application/x-ndjson` asks for the latter too.'),
      ],
      responses: readResponses({ '200': events() }),
    },
  },
  '/api/v1/events/stream': {
    get: {
      operationId: 'followEvents',
      tags,
      summary: 'Follow the log as Server-Sent Events',
      description:
        'From now on, from a moment, or from where the client was; each event’s `data` is one of `/api/v1/events`. A comment every 15 seconds shows that the stream lives.',
      parameters: [
        ...filters,
        query('lastEventId', 'Go on behind the event of this id.'),
        {
          name: 'Last-Event-ID',
          in: 'header',
          description: 'The same; what browsers send when they connect again.',
          schema: { type: 'string' },
        },
      ],
      responses: readResponses({
        '200': { ...answer('A stream.', {}), content: { 'text/event-stream': { schema: { type: 'string' } } } },
      }),
    },
  },
};

function events() {
  const shown = { results: [example], lastKey: '17.0', scannedThrough: 17, complete: false };
  const paged = answer('A page, or a JSON object and a newline for each event.', eventPageAnswer, shown);
  return { ...paged, content: { ...paged.content, 'application/x-ndjson': { schema: ref('Event') } } };
}
