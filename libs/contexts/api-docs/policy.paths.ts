import { count, requestObject, text, type Paths, type Schema } from './openapi.js';
import {
  answer,
  asOf,
  body,
  error,
  ok,
  query,
  readResponses,
  requiredMissing,
  results,
  writeResponses,
} from './responses.js';
import { ref } from './schemas.js';

const example = '/data/dir/to/path';
const path: Schema = { ...text('Namespace path of a directory, begins with /.'), minLength: 1 };

interface Policy {
  /** Last segment of the route, and the tag. */
  route: 'quota' | 'ttl' | 'priority';
  schema: 'Quota' | 'Ttl' | 'Priority';
  what: string;
  /** Sentences of the reference. */
  missing: string;
  off: string;
  field: { name: string; schema: Schema };
  request: Record<string, unknown>;
  shown: Record<string, unknown>;
}

const policies: readonly Policy[] = [
  {
    route: 'quota',
    schema: 'Quota',
    what: 'quota',
    missing: `No quota item found for path: ${example}`,
    off: 'Quota not enabled',
    field: { name: 'quotaBytes', schema: count('Bytes that may be cached below the path; 0 lets nothing in.') },
    request: { path: example, quotaBytes: 10737418240 },
    shown: {
      path: example,
      state: 'Available',
      quotaBytes: 10737418240,
      usedBytes: 9663676416,
      reservedBytes: 1073741824,
    },
  },
  {
    route: 'ttl',
    schema: 'Ttl',
    what: 'TTL policy',
    missing: `No TTL policy found for path: ${example}`,
    off: 'TTL not enabled',
    field: { name: 'ttlSeconds', schema: { ...count('Seconds from loading to expiry.'), minimum: 1 } },
    request: { path: example, ttlSeconds: 600 },
    shown: { path: example, ttlSeconds: 600 },
  },
  {
    route: 'priority',
    schema: 'Priority',
    what: 'priority rule',
    missing: `No priority rule found for path: ${example}`,
    off: 'Priority eviction not enabled',
    field: { name: 'priority', schema: { ...text('HIGH, MEDIUM or LOW, in any case.'), minLength: 1 } },
    request: { path: example, priority: 'high' },
    shown: { path: example, priority: 'high' },
  },
];

/** Quotas, times to live and eviction priorities are managed alike. */
function pathsOf({ route, schema, what, missing, off, field, request, shown }: Policy): Paths {
  const tags = [route] as const;
  const switchedOff = error('The feature is switched off.', off);
  return {
    [`/api/v1/${route}`]: {
      get: {
        operationId: `read${schema}`,
        tags,
        summary: `List all, or get the ${what} of a path`,
        parameters: [query('path', 'Namespace path of the directory.'), asOf],
        responses: readResponses({
          '200': answer(`The ${what}, or the list.`, { anyOf: [ref(schema), results(schema)] }, shown),
          '404': error('None at this path.', missing),
          '501': switchedOff,
        }),
      },
      post: {
        operationId: `set${schema}`,
        tags,
        summary: `Add or update a ${what}`,
        requestBody: body(requestObject({ path, [field.name]: field.schema }, ['path', field.name]), request),
        responses: writeResponses({
          '200': ok(),
          '400': error(
            'The body or a required field is missing, a field is malformed, or no mount covers the path.',
            requiredMissing,
            'No mounted UFS found',
          ),
          '501': switchedOff,
        }),
      },
      delete: {
        operationId: `delete${schema}`,
        tags,
        summary: `Delete a ${what}`,
        requestBody: body(requestObject({ path }, ['path']), { path: example }),
        responses: writeResponses({
          '200': ok(),
          '400': error(
            'The body or a required field is missing, the path is malformed, or there is none at it.',
            requiredMissing,
            missing,
          ),
          '501': switchedOff,
        }),
      },
    },
  };
}

export const policyPaths: Paths = Object.assign({}, ...policies.map(pathsOf)) as Paths;
