import { cacheAnswer, CacheOperationDto } from '#contexts/membership/http';
import { requestSchemaOf } from '#runtime';
import { type Operation, type Paths } from './openapi.js';
import { answer, body, error, writeResponses } from './responses.js';

const tags = ['cache'] as const;

const operation = (operationId: string, summary: string, done: string): Operation => ({
  operationId,
  tags,
  summary,
  requestBody: body(requestSchemaOf(CacheOperationDto), { op: 'clear-stale' }),
  responses: writeResponses({
    '200': answer(
      done,
      cacheAnswer,
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
