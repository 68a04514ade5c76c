import { count, flag, listOf, requestObject, text, type Paths, type Schema } from './openapi.js';
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

const tags = ['load'] as const;
const id = '54b88939-de49-46ef-acab-fe489f46d1a0';

export const jobGone = "The job doesn't exist or has already finished";
export const noJob = 'No job found...';

/** What load and free jobs are told to work on. */
export const pathFields = {
  paths: {
    ...listOf(
      { type: 'string', minLength: 1 },
      'UFS paths (s3://bucket/dir, file:///dir) or namespace paths (/data/dir).',
    ),
    maxItems: 10_000,
  },
  index: text('A UFS file with a path per line. Exactly one of paths and index must be given; "" is none.'),
  alias: { ...text('A name to find the job by.'), maxLength: 128 },
} satisfies Record<string, Schema>;

export const batchSize: Schema = { ...count('Files per batch; 0 = the default.'), maximum: 1_000_000 };
export const sync = flag(
  'Answer with the progress when the job has ended, or when the time is over (LARDER_SYNC_MS; with no worker up LARDER_SYNC_NO_WORKER_MS).',
);
/** Both what a submission answers at once and what it answers with `sync`. */
export const submitted = (progress: 'LoadProgress' | 'FreeProgress'): Schema => ({
  anyOf: [ref(progress), ref('JobId')],
});

const options = requestObject({
  batchSize,
  fileFilterRegex: {
    ...text('RE2 pattern that a file’s whole name must match; with a slash in it, also the whole path may.'),
    maxLength: 4096,
  },
  fileFilterRegx: { ...text('The same, in the other spelling.'), maxLength: 4096 },
  replicas: { ...count('Distinct workers that get each file; 0 = 1.'), maximum: 16 },
  skipIfExists: flag('Leave files alone that are cached in their present version.'),
  loadMetadataOnly: flag('Cache sizes and versions, no bytes.'),
  verify: flag('Compare with the UFS when everything is loaded, and mend what differs.'),
  bandwidth: count('Bytes/s per worker; 0 = unlimited.'),
  sync,
});

export const jobIdBody = body(requestObject({ id: { ...text('Job id.'), minLength: 1 } }, ['id']), { id });

export const loadPaths: Paths = {
  '/api/v1/load': {
    get: {
      operationId: 'readLoads',
      tags,
      summary: 'List all load jobs, or get the progress of one',
      description:
        'Without id, alias and index: a list in the order of submission, of jobs in a state if one is given, paged with count and lastKey.',
      parameters: [
        query('id', 'Job id.'),
        query('alias', 'Alias: the newest job of that name.'),
        query('index', 'Index file: the newest job that loads it.'),
        jobState,
        ...pageParameters,
        asOf,
      ],
      responses: readResponses({
        '200': answer('Progress of the job, or the list.', {
          anyOf: [ref('LoadProgress'), results('LoadProgress', { paged: true })],
        }),
        '404': error('No job found.', noJob),
      }),
    },
    post: {
      operationId: 'submitLoad',
      tags,
      summary: 'Submit or resume a load job',
      requestBody: body(
        requestObject({ ...pathFields, options }),
        {
          paths: ['s3://my-bucket/dir/to/path'],
          options: { batchSize: 0, fileFilterRegx: '', replicas: 0, sync: true, skipIfExists: false },
        },
        { index: 's3://my-bucket/lists/today.txt', alias: 'nightly' },
      ),
      responses: writeResponses({
        '200': answer('A new job. With sync: its progress at the end.', submitted('LoadProgress'), { id }),
        '409': answer('A job of that target has not finished; it was resumed if it was stopped.', ref('ExistingJob'), {
          id,
          resumed: true,
          applied: { bandwidth: 1_000_000 },
          ignored: { replicas: 2 },
        }),
      }),
    },
    delete: {
      operationId: 'stopLoad',
      tags,
      summary: 'Stop a load job',
      description: 'What was loaded stays. A POST of the same target resumes the job.',
      requestBody: jobIdBody,
      responses: writeResponses({
        '200': ok('Stopped; within two seconds no worker fetches anything more for it.'),
        '410': error('The job doesn’t exist or has already finished.', jobGone),
      }),
    },
  },
  '/api/v1/load/{id}/failed_files': {
    get: {
      operationId: 'readFailedFiles',
      tags,
      summary: 'All failed files of a load job',
      parameters: [
        { name: 'id', in: 'path', required: true, description: 'Job id.', schema: { type: 'string' } },
        asOf,
      ],
      responses: readResponses({
        '200': {
          ...answer('A JSON object and a newline for each failure.', ref('Failure')),
          content: { 'application/x-ndjson': { schema: ref('Failure') } },
        },
        '404': error('No job found.', noJob),
      }),
    },
  },
};
