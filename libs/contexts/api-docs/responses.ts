import { ref, type Schema } from '#schema';
import { json, type ApiResponse, type Header, type Parameter } from './openapi.js';

/** Answers and parameters that many routes share. */

const sequence: Header = {
  description:
    'Log sequence that the answer includes. Sent back with a request, to any coordinator, it reads its writes.',
  schema: { type: 'string', pattern: '^\\d+$' },
};
const stale: Header = {
  description: 'Only while the log cannot be reached: milliseconds since it last was.',
  schema: { type: 'string', pattern: '^\\d+$' },
};

const asOfSequence: Header = {
  description: 'Only with `asOf`: the log sequence that the answer is as of.',
  schema: { type: 'string', pattern: '^\\d+$' },
};

const ignoredNames: Header = {
  description:
    'Only when there are any: fields and query parameters that are not known and had no effect, separated by commas, percent-encoded.',
  schema: { type: 'string' },
};

export const commonHeaders = {
  'X-Larder-Sequence': sequence,
  'X-Larder-Stale': stale,
  'X-Larder-As-Of': asOfSequence,
  'X-Larder-Ignored': ignoredNames,
} as const;

/** An answer with a JSON body. */
export function answer(description: string, schema: Schema, ...examples: unknown[]): ApiResponse {
  const named = examples.map((value, i) => [examples.length === 1 ? 'example' : `example${i + 1}`, { value }] as const);
  const media = { schema, ...(named.length > 0 ? { examples: Object.fromEntries(named) } : {}) };
  return { description, headers: commonHeaders, content: { [json]: media } };
}

/** An error: `{ "status": "…" }`. @param examples of the sentence */
export function error(description: string, ...examples: string[]): ApiResponse {
  return answer(description, ref('Status'), ...examples.map((status) => ({ status })));
}

export const ok = (description = 'Successful operation.'): ApiResponse =>
  answer(description, ref('Ok'), { status: 'ok' });

export const requiredMissing = 'Required parameters not provided';

type Responses = Readonly<Record<string, ApiResponse>>;

/** Answers that any route may give. */
const anywhere: Responses = {
  '500': error('Unexpected error; the coordinator has logged it.', 'internal error; the log of this process says more'),
  '503': {
    ...error(
      'The log, or a worker that is needed, cannot be reached. Try again.',
      'NATS is not connected; nothing was sent',
    ),
    headers: {
      ...commonHeaders,
      'Retry-After': { description: 'Seconds.', schema: { type: 'string', pattern: '^\\d+$' } },
    },
  },
};

/** The answers of a route that takes no body. @param own in addition to what any such route may answer */
export function readResponses(own: Responses): Responses {
  const malformed = error('A parameter is malformed.', 'count must be a whole number from 1 to 100000: x');
  return { '400': malformed, ...own, ...anywhere };
}

/** The answers of a route that takes a body. */
export function writeResponses(own: Responses): Responses {
  return {
    '400': error(
      'The body or a required field is missing, or a field is malformed; then it is named.',
      requiredMissing,
    ),
    ...own,
    '413': error(
      'The body is larger than LARDER_BODY_LIMIT_BYTES.',
      'the request body is too large; a long list of paths belongs in an index file',
    ),
    '415': error('The body is not application/json.', 'the Content-Type must be application/json'),
    ...anywhere,
  };
}

export function query(name: string, description: string, schema: Schema = { type: 'string' }): Parameter {
  return { name, in: 'query', description, schema };
}

/** A parameter of routes that answer from views. */
export const asOf = query(
  'asOf',
  'Answer as of then: a log sequence, or an ISO 8601 time with its zone. Values that only heartbeats carry are left out.',
);

export const pageParameters: readonly Parameter[] = [
  query('count', 'At most so many entries.', { type: 'integer', minimum: 1, maximum: 100_000 }),
  query('lastKey', 'Only entries behind this one: the `lastKey` of the page before.'),
];

export function body(schema: Schema, ...examples: unknown[]) {
  const named = examples.map((value, i) => [examples.length === 1 ? 'example' : `example${i + 1}`, { value }] as const);
  return { required: true, content: { [json]: { schema, examples: Object.fromEntries(named) } } };
}
