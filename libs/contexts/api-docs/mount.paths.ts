import { CreateMountDto, DeleteMountDto, ReplaceMountOptionsDto } from '#contexts/namespace/http';
import { requestSchemaOf } from '#runtime';
import { ref, resultsOf } from '#schema';
import { type Paths } from './openapi.js';
import { answer, asOf, body, error, query, readResponses, writeResponses } from './responses.js';

const tags = ['mount'] as const;
const shown = {
  path: '/data/',
  ufs: 's3://my-bucket/',
  options: { 's3a.accessKeyId': 'AKIA…', 's3a.secretKey': '******' },
};
const fixed = error(
  'The mount table is a file (LARDER_MOUNT_TABLE).',
  'the mount table is a static file and cannot be changed through the API',
);

export const mountPaths: Paths = {
  '/api/v1/mount': {
    get: {
      operationId: 'readMounts',
      tags,
      summary: 'List mount points, or get one',
      parameters: [query('path', 'Namespace path of the mount point.'), asOf],
      responses: readResponses({
        '200': answer('The mount point, or the list.', { anyOf: [ref('Mount'), resultsOf(ref('Mount'))] }, shown),
        '404': error('Mount point not found.', 'No mount point found for path: /data/'),
      }),
    },
    post: {
      operationId: 'createMount',
      tags,
      summary: 'Create a mount point',
      requestBody: body(requestSchemaOf(CreateMountDto), {
        path: '/data',
        ufs: 's3://my-bucket',
        options: { 's3a.secretKey': 'string', 's3a.accessKeyId': 'string' },
      }),
      responses: writeResponses({
        '200': answer(
          'Mounted. `warning` names a problem that this coordinator sees, such as a missing directory.',
          ref('Mounted'),
          { status: 'ok' },
          { status: 'ok', ignored: ['options.fs.s3a.threads.max'] },
        ),
        '409': error(
          'The path is already mounted, the UFS has been mounted to another path, or one lies within the other.',
          '/data/ is already mounted to s3://my-bucket/',
        ),
        '501': fixed,
      }),
    },
    put: {
      operationId: 'replaceMountOptions',
      tags,
      summary: 'Replace the options of a mount, such as its keys',
      description:
        'All options are replaced, not only those that are given. Policies, copies and running jobs stay. The options must ' +
        'name the store that the mount shows already: same endpoint, same bucket.',
      requestBody: body(requestSchemaOf(ReplaceMountOptionsDto), {
        path: '/data',
        options: { 's3a.secretKey': 'string', 's3a.accessKeyId': 'string' },
      }),
      responses: writeResponses({
        '200': answer('Replaced, and in use by all workers but those in `stillUsing`.', ref('MountReplaced'), {
          status: 'ok',
        }),
        '404': error('Mount point not found.', 'No mount point found for path: /data/'),
        '409': error(
          'They name another store, or `ufs` is another one.',
          'ufs: /data/ is mounted to s3://my-bucket/, not to s3://other/; to change that, remove the mount and create it again',
        ),
        '501': fixed,
      }),
    },
    delete: {
      operationId: 'deleteMount',
      tags,
      summary: 'Delete a mount point',
      description:
        'Also removes the policies below it. Cached files stay for a time (LARDER_UNMOUNTED_KEEP_MS), is used again when the same store is mounted, and is served by no worker. ' +
        'Answers when all workers have said so, within two seconds.',
      requestBody: body(requestSchemaOf(DeleteMountDto), { path: '/data' }),
      responses: writeResponses({
        '200': answer('Removed, and served by no worker but those in `stillServing`.', ref('MountRemoved'), {
          status: 'ok',
        }),
        '410': error('The path isn’t mounted to any UFS.', '/data/ is not mounted to any UFS'),
        '501': fixed,
      }),
    },
  },
};
