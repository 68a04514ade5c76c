import {
  answer,
  asOf,
  body,
  existingJob,
  jobState,
  pageParameters,
  query,
  readJobs,
  readResponses,
  stopJob,
  writeResponses,
  type ApiPart,
  type Paths,
} from '#contexts/api-docs';
import { requestSchemaOf } from '#runtime';
import { ref } from '#schema';
import { rebalanceAnswer } from '../rebalance.answers.js';
import { StopRebalanceDto, SubmitRebalanceDto } from './rebalance.dto.js';

const name = 'rebalance';
const tags = [name] as const;
const id = '8de63d3a-63c8-4f08-bbc1-c87e3c0fb6d9';
const target = 'A worker’s id, or ALL.';

const paths: Paths = {
  '/api/v1/rebalance': {
    get: {
      operationId: 'readRebalances',
      tags,
      summary: 'List all rebalance jobs, or get the progress of one',
      parameters: [
        query('id', 'Job id.'),
        query('target', `${target} The newest job of it.`),
        jobState,
        ...pageParameters,
        asOf,
      ],
      responses: readResponses(readJobs('RebalanceProgress')),
    },
    post: {
      operationId: 'submitRebalance',
      tags,
      summary: 'Submit or resume a rebalance job',
      description:
        'Fetches the files that the hash ring gives to each target worker, from a worker that has them or from the UFS. ' +
        'Then removes the copies that belong elsewhere, but never the last copy of a file.',
      requestBody: body(requestSchemaOf(SubmitRebalanceDto), {
        target: 'ALL',
        options: { loadBatchSize: 1000, loadBandwidth: 10485746000, pruneBandwidth: 10485746000, skipPrune: false },
      }),
      responses: writeResponses({
        '200': answer('A new job.', ref('JobId'), { id }),
        ...existingJob({
          id,
          resumed: false,
          applied: {},
          ignored: { skipPrune: true },
        }),
      }),
    },
    delete: {
      operationId: 'stopRebalance',
      tags,
      summary: 'Stop a rebalance job',
      description: 'By id, or by target: the unfinished job of it.',
      requestBody: body(requestSchemaOf(StopRebalanceDto), { id }, { target: 'ALL' }),
      responses: writeResponses(stopJob()),
    },
  },
};

/** The part of the API's description about rebalance jobs. */
export const rebalanceDocs: ApiPart = {
  tag: { name, description: 'Move copies to the workers that the hash ring names for them.' },
  paths,
  schemas: { RebalanceProgress: rebalanceAnswer },
};
