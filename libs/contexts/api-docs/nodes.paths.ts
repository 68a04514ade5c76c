import { nodesAnswer } from '#contexts/membership/http';
import { ref } from '#schema';
import { type Paths } from './openapi.js';
import { answer, asOf, error, ok, query, readResponses, requiredMissing } from './responses.js';

const tags = ['nodes'] as const;
const id = query('id', 'Worker id (e.g. worker-587899dd-5da5-45d4-af40-ce481acc4087).');
const notFound = error('Worker not found.', 'worker not found...');

export const nodesPaths: Paths = {
  '/api/v1/nodes': {
    get: {
      operationId: 'readNodes',
      tags,
      summary: 'List all nodes, or query one',
      description: 'The list stands in `result`, without an s, as clients of this API know it.',
      parameters: [id, asOf],
      responses: readResponses({
        '200': answer('The node, or the list.', { anyOf: [ref('Node'), nodesAnswer] }),
        '404': notFound,
      }),
    },
    delete: {
      operationId: 'decommissionNode',
      tags,
      summary: 'Decommission a node',
      description: 'It leaves the hash ring at once and stays out until its process is started anew.',
      parameters: [{ ...id, required: true }],
      responses: readResponses({
        '200': ok(),
        '400': error('The id is missing.', requiredMissing),
        '404': notFound,
      }),
    },
  },
};
