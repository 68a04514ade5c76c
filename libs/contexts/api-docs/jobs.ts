import { wireStates } from '#contexts/jobs';
import { answerObject, count, flag, listOf, oneOfTexts, requestObject, text, type Schema } from './openapi.js';
import { body, query } from './responses.js';
import { failure, ref, uuid, wholeAnswer } from './schemas.js';

/** Parts shared by the descriptions of all kinds of jobs. */

export const jobGone = "The job doesn't exist or has already finished";
export const noJob = 'No job found...';

/** The fields that say what load and free jobs work on. */
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
/** The answers to a submission: with `sync`, and without it. */
export const submitted = (progress: string): Schema => ({
  anyOf: [ref(progress), ref('JobId')],
});

/** The body that stops a job. */
export const jobIdBody = body(requestObject({ id: { ...text('Job id.'), minLength: 1 } }, ['id']), {
  id: '54b88939-de49-46ef-acab-fe489f46d1a0',
});

/** A parameter of the lists of jobs. */
export const jobState = query('state', 'Only jobs in this state, in any case.', { type: 'string', enum: wireStates });

const startTime: Schema = {
  type: 'string',
  pattern: '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}[+-]\\d\\d:\\d\\d$',
  description: 'When the job was submitted, with a numeric offset.',
};

const errorMessage = answerObject(
  {
    message: text('What there is to say about the outcome, in words.'),
    failures: { ...listOf(failure, 'The first failures, by path.'), maxItems: 20 },
  },
  ['message', 'failures'],
);

/** The first fields of the progress of every job. */
export const jobFields = {
  id: uuid('Job id.'),
  startTime,
  state: oneOfTexts(wireStates, 'SUCCEEDED, FAILED and STOPPED are final until someone resumes a STOPPED job.'),
  errorMessage: { ...errorMessage, description: '{} when there is nothing to say.' },
};

/** `runningState` of a job that waits. */
export const waits = ['WAITING_FOR_STORE', 'WAITING_FOR_WORKER'];
export const waitingFor = {
  ...wholeAnswer({
    for: oneOfTexts(['store', 'worker'], 'What the job stands still for.'),
    since: { ...text('ISO 8601.') },
    reason: text('Why, in words: what the store said last.'),
  }),
  description: 'Only while a running job waits; `errorMessage` says it too. That of a store is not known with `asOf`.',
};

export const elapsed = count('Milliseconds from the submission to now or to the end; never runs backwards.');
export const submittedPaths = listOf({ type: 'string' }, 'As submitted.');
export const submittedIndex = text('As submitted; "" without one.');
export const submittedAlias = text('As submitted, or made up.');
