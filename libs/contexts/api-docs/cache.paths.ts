import { CacheOperationDto } from '#contexts/membership/http';
import { requestSchemaOf } from '#runtime';
import { type Operation, type Paths } from './openapi.js';
import { answer, body, error, writeResponses } from './responses.js';
import { ignored } from './schemas.js';

const tags = ['cache'] as const;

const operation = (operationId: string, summary: string, done: string): Operation => ({
  operationId,
  tags,
  summary,
  requestBody: body(requestSchemaOf(CacheOperationDto), { op: 'clear-stale' }),
  responses: writeResponses({
    '200': answer(
      done,
      {
        type: 'object',
        required: ['errors'],
        properties: {
          errors: {
            type: 'object',
            additionalProperties: { type: 'string', minLength: 1 },
            description: 'The reason by the address of each worker that could not be told.',
          },
          ignored,
        },
      },
      { errors: {} },
      { errors: { '192.168.1.19:29999': 'worker 192.168.1.19:29999 does not answer: connect ECONNREFUSED' } },
    ),
    '501': error('Another operation.', 'OP not implemented'),
  }),
});

export const cachePaths: Paths = {
  '/api/v1/cache': {
    post: operation(
      'startClearStale',
      'Start clearing stale cache on all workers',
      'Every worker was told, but for those in errors.',
    ),
    delete: operation(
      'stopClearStale',
      'Stop clearing stale cache on all workers',
      'Every worker was told to stop, but for those in errors.',
    ),
  },
};
