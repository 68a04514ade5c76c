import { filesAnswer, filesChangedAnswer, FilesDto } from '#contexts/file-index/http';
import { requestSchemaOf } from '#runtime';
import { type Paths } from './openapi.js';
import { answer, body, error, pageParameters, query, readResponses, writeResponses } from './responses.js';

const tags = ['file_index'] as const;
const off = error('The feature is switched off.', 'Global file index is not enabled');
const files = requestSchemaOf(FilesDto);
const example = { files: ['s3://foo/bar/f1', 's3://foo/bar/f2'] };
const changed = (description: string) => answer(description, filesChangedAnswer, { entries: 2 });

export const fileIndexPaths: Paths = {
  '/api/v1/file_index': {
    get: {
      operationId: 'readFileIndex',
      tags,
      summary: 'List the files that the cache holds',
      description:
        'All of them, streamed, in the order of their bytes; or page by page. With `unmounted=true` instead the copies that ' +
        'no mount covers: nothing is mounted at their path, or another store is.',
      parameters: [
        ...pageParameters,
        query('unmounted', 'true: list what no mount covers.', { type: 'string', enum: ['true', 'false'] }),
        query('asOf', 'Refused: the index has no history.'),
      ],
      responses: readResponses({
        '200': answer('The UFS paths.', filesAnswer, { results: ['s3://foo/bar/f1', 's3://foo/bar/f2'] }),
        '404': off,
        '501': error('With asOf.', 'asOf: the file index lives at the workers and not in the log; it has no history'),
      }),
    },
    post: {
      operationId: 'addToFileIndex',
      tags,
      summary: 'Add files to the global file index',
      requestBody: body(files, example),
      responses: writeResponses({ '200': changed('Entries really added.'), '404': off }),
    },
    delete: {
      operationId: 'removeFromFileIndex',
      tags,
      summary: 'Remove files from the global file index',
      requestBody: body(files, example),
      responses: writeResponses({ '200': changed('Entries really removed.'), '404': off }),
    },
  },
};
