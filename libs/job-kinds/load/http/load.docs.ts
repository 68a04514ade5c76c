import {
  answer,
  asOf,
  body,
  error,
  existingJob,
  jobIdBody,
  jobState,
  noJob,
  pageParameters,
  query,
  readJobs,
  readResponses,
  stopJob,
  submitted,
  writeResponses,
  type ApiPart,
  type Paths,
} from '#contexts/api-docs';
import { requestSchemaOf } from '#runtime';
import { ref } from '#schema';
import { loadAnswer } from '../load.answers.js';
import { SubmitLoadDto } from './load.dto.js';

const name = 'load';
const tags = [name] as const;
const id = '54b88939-de49-46ef-acab-fe489f46d1a0';

const paths: Paths = {
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
      responses: readResponses(readJobs('LoadProgress')),
    },
    post: {
      operationId: 'submitLoad',
      tags,
      summary: 'Submit or resume a load job',
      requestBody: body(
        requestSchemaOf(SubmitLoadDto),
        {
          paths: ['s3://my-bucket/dir/to/path'],
          options: { batchSize: 0, fileFilterRegx: '', replicas: 0, sync: true, skipIfExists: false },
        },
        { index: 's3://my-bucket/lists/today.txt', alias: 'nightly' },
      ),
      responses: writeResponses({
        '200': answer('A new job. With sync: its progress at the end.', submitted('LoadProgress'), { id }),
        ...existingJob({
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
      description: 'The loaded files stay cached. A POST of the same target resumes the job.',
      requestBody: jobIdBody,
      responses: writeResponses(stopJob('Stopped; within two seconds no worker fetches anything more for it.')),
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

/** The part of the API's description about load jobs. */
export const loadDocs: ApiPart = {
  tag: { name, description: 'Bring data of a UFS into the cache.' },
  paths,
  schemas: { LoadProgress: loadAnswer },
};
