import { batchSize, jobGone, jobIdBody, noJob, pathFields, submitted, sync } from './load.paths.js';
import { flag, requestObject, type Paths } from './openapi.js';
import {
  answer,
  asOf,
  body,
  error,
  jobState,
  ok,
  pageParameters,
  query,
  readResponses,
  results,
  writeResponses,
} from './responses.js';
import { ref } from './schemas.js';

const tags = ['free'] as const;
const id = '464050c3-9900-4b2f-8716-9220cd5eb495';

const options = requestObject({
  batchSize,
  sync,
  recursive: flag('Default true. False: only the named files, and the direct children of named directories.'),
  unmounted: flag(
    'Default false. True: the copies that no mount covers, also below mounted paths. A UFS path that no mount covers needs no flag.',
  ),
});

export const freePaths: Paths = {
  '/api/v1/free': {
    get: {
      operationId: 'readFrees',
      tags,
      summary: 'List all free jobs, or get the progress of one',
      parameters: [query('id', 'Job id.'), jobState, ...pageParameters, asOf],
      responses: readResponses({
        '200': answer('Progress of the job, or the list.', {
          anyOf: [ref('FreeProgress'), results('FreeProgress', { paged: true })],
        }),
        '404': error('No job found.', noJob),
      }),
    },
    post: {
      operationId: 'submitFree',
      tags,
      summary: 'Submit or resume a free job',
      description:
        'Every worker looks through its own index: copies whose UFS file is gone and all replicas are freed too.',
      requestBody: body(requestObject({ ...pathFields, options }), {
        paths: ['s3://my-bucket/dir/to/path'],
        index: '',
        options: { batchSize: 0, sync: true, recursive: true },
      }),
      responses: writeResponses({
        '200': answer('A new job. With sync: its progress at the end.', submitted('FreeProgress'), { id }),
        '409': answer('A job of that target has not finished; it was resumed if it was stopped.', ref('ExistingJob'), {
          id,
          resumed: false,
          applied: {},
          ignored: {},
        }),
      }),
    },
    delete: {
      operationId: 'stopFree',
      tags,
      summary: 'Stop a free job',
      requestBody: jobIdBody,
      responses: writeResponses({
        '200': ok(),
        '410': error('The job doesn’t exist or has already finished.', jobGone),
      }),
    },
  },
};
