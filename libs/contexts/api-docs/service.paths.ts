import { answerObject, constant, count, listOf, plainText, text, type AnswerOf } from '#schema';
import { type Paths } from './openapi.js';
import { answer, ok, readResponses } from './responses.js';

const tags = ['service'] as const;

/** Of `/readyz`, whose controller is the application's. */
export const readinessAnswer = answerObject(
  {
    status: constant('ok'),
    sequence: count('Log sequence its views stand at.'),
    warnings: listOf(
      plainText,
      'Only where an operator should mend something: mounts, beside others, that it has no key for.',
    ),
    quarantine: answerObject({
      count: count('Messages in the log that are void: they have no effect.'),
      unacknowledged: count('How many of them no operator has recorded as void yet.'),
      examples: listOf(
        answerObject({
          sequence: count('Log sequence.'),
          boundary: text('What the message claims to be about.'),
          reason: text('Why it is void.'),
        }),
        'A few of the newest.',
      ),
    }),
  },
  ['warnings', 'quarantine'],
);
export type ReadinessAnswer = AnswerOf<typeof readinessAnswer>;

/** Routes about the service itself. */
export const servicePaths: Paths = {
  '/api/v1/openapi.json': {
    get: {
      operationId: 'readOpenApi',
      tags,
      summary: 'This document, as OpenAPI 3.1',
      responses: readResponses({
        '200': answer('The document.', {
          type: 'object',
          required: ['openapi', 'info', 'paths'],
          additionalProperties: {},
        }),
      }),
    },
  },
  '/api/v1/docs': {
    get: {
      operationId: 'readDocs',
      tags,
      summary: 'This document, to read',
      responses: readResponses({
        '200': { ...answer('A page.', {}), content: { 'text/html': { schema: { type: 'string' } } } },
      }),
    },
  },
  '/healthz': {
    get: {
      operationId: 'readHealth',
      tags,
      summary: 'Whether the process answers',
      responses: readResponses({ '200': ok('It does.') }),
    },
  },
  '/readyz': {
    get: {
      operationId: 'readReadiness',
      tags,
      summary: 'Whether this coordinator can serve',
      description:
        'It has caught up with the log, can reach it, and has the keys of this cluster; otherwise 503 with what is missing.',
      responses: readResponses({
        '200': answer('It can.', readinessAnswer, { status: 'ok', sequence: 1234 }),
      }),
    },
  },
};
