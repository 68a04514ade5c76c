import {
  answer,
  asOf,
  body,
  existingJob,
  jobIdBody,
  jobState,
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
import { freeAnswer } from '../free.answers.js';
import { SubmitFreeDto } from './free.dto.js';

const name = 'free';
const tags = [name] as const;
const id = '464050c3-9900-4b2f-8716-9220cd5eb495';

const paths: Paths = {
  '/api/v1/free': {
    get: {
      operationId: 'readFrees',
      tags,
      summary: 'List all free jobs, or get the progress of one',
      parameters: [query('id', 'Job id.'), jobState, ...pageParameters, asOf],
      responses: readResponses(readJobs('FreeProgress')),
    },
    post: {
      operationId: 'submitFree',
      tags,
      summary: 'Submit or resume a free job',
      description:
        'Every worker looks through its own index: copies whose UFS file is gone and all replicas are freed too.',
      requestBody: body(requestSchemaOf(SubmitFreeDto), {
        paths: ['s3://my-bucket/dir/to/path'],
        index: '',
        options: { batchSize: 0, sync: true, recursive: true },
      }),
      responses: writeResponses({
        '200': answer('A new job. With sync: its progress at the end.', submitted('FreeProgress'), { id }),
        ...existingJob({
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
      responses: writeResponses(stopJob()),
    },
  },
};

/** The part of the API's description about free jobs. */
export const freeDocs: ApiPart = {
  tag: { name, description: 'Remove data from the cache.' },
  paths,
  schemas: { FreeProgress: freeAnswer },
};
