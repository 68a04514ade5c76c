import {
  answer,
  answerObject,
  asOf,
  body,
  count,
  elapsed,
  error,
  existingJob,
  flag,
  jobFields,
  jobIdBody,
  jobState,
  listOf,
  noJob,
  oneOfTexts,
  pageParameters,
  query,
  readJobs,
  readResponses,
  ref,
  stopJob,
  submitted,
  submittedAlias,
  submittedIndex,
  submittedPaths,
  text,
  waitingFor,
  waits,
  wholeAnswer,
  writeResponses,
  type ApiPart,
  type Paths,
} from '#contexts/api-docs';
import { requestSchemaOf } from '#runtime';
import { SubmitLoadDto } from './load.dto.js';

const name = 'load';
const tags = [name] as const;
const id = '54b88939-de49-46ef-acab-fe489f46d1a0';

const progress = wholeAnswer(
  {
    ...jobFields,
    runningState: oneOfTexts(
      ['', 'WAITING', 'LISTING', 'LOADING', 'RETRYING', 'VERIFYING', ...waits],
      'What a running job is doing; "" otherwise.',
    ),
    failedFileListPath: text('Where all failures can be read; "" when there are none.'),
    paths: submittedPaths,
    index: submittedIndex,
    skipIfExists: flag('Option in force.'),
    loadMetadataOnly: flag('Option in force.'),
    verify: flag('Option in force.'),
    bandwidth: count('Bytes/s per worker in force; 0 = unlimited.'),
    timeElapsedMilliseconds: elapsed,
    loadedBytes: count('Bytes loaded.'),
    skippedBytes: count('Bytes of files that were there already (skipIfExists).'),
    totalBytes: count('Loaded, skipped, failed and in flight.'),
    loadedNonEmptyFiles: count('Files loaded that are longer than 0 bytes.'),
    failedFiles: count('Files that could not be loaded.'),
    scannedFiles: count('Files met in the UFS: loaded, skipped, failed, filtered and in flight.'),
    quota: answerObject(
      {
        totalBytes: count('The tightest quota above all that the job loads; 0 where none applies.'),
        remaining: count('Bytes left below it. Not with `asOf`: only heartbeats carry it.'),
      },
      ['remaining'],
    ),
    quotaCheckError: text('The quota that would be exceeded, in words; "" when none.'),
    alias: submittedAlias,
    loadedFiles: count('Files loaded.'),
    skippedFiles: count('Files that were there already (skipIfExists).'),
    filteredFiles: count('Files dropped by fileFilterRegex.'),
    specialFiles: {
      type: 'object',
      description:
        'What was passed over because it holds no data of its own, by kind (`directoryLinks`, `fifos`, `sockets`, `devices`, `other`); absent when nothing was. None of them counts as scanned.',
      additionalProperties: answerObject({
        count: count('How many.'),
        examples: { ...listOf({ type: 'string' }, 'The first of them, by UFS path.'), maxItems: 5 },
      }),
    },
    inFlightFiles: count('Files handed to workers and not yet settled.'),
    inFlightLoadedBytes: count('Bytes of those that have already moved.'),
    failedBytes: count('Bytes of the failed files.'),
    verifiedFiles: count('Files compared with the UFS and found equal.'),
    repairedFiles: count('Files that differed and were loaded again.'),
    verifyFailedFiles: count('Files that differed and could not be mended.'),
    replicas: count('Option in force.'),
    replicaFilesLoaded: count('Further copies loaded or found.'),
    replicaFilesFailed: count('Further copies that failed.'),
    batchSize: count('Option in force.'),
    fileFilterRegex: text('Option in force.'),
    owner: text('The coordinator that drives the job; "" before one does.'),
    epoch: count('Raised whenever another coordinator takes the job over.'),
    listingComplete: flag('Whether the UFS has been listed to the end.'),
    waitingFor,
  },
  ['quota', 'quotaCheckError', 'specialFiles', 'waitingFor'],
);

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
      description: 'What was loaded stays. A POST of the same target resumes the job.',
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
  schemas: { LoadProgress: progress },
};
