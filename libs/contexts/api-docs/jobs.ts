import { wireStates } from '#contexts/jobs';
import { JobIdDto } from '#contexts/jobs/http';
import { requestSchemaOf } from '#runtime';
import { answerObject, count, listOf, oneOfTexts, text, type ApiResponse, type Schema } from './openapi.js';
import { answer, body, error, ok, query, results } from './responses.js';
import { failure, ref, uuid, wholeAnswer } from './schemas.js';

/** What the descriptions of all kinds of jobs are made of. */

const jobGone = "The job doesn't exist or has already finished";
export const noJob = 'No job found...';

/** Both what a submission answers at once and what it answers with `sync`. */
export const submitted = (progress: string): Schema => ({
  anyOf: [ref(progress), ref('JobId')],
});

/** The answers to a GET: one job, or the list of them. */
export const readJobs = (progress: string): Record<string, ApiResponse> => ({
  '200': answer('Progress of the job, or the list.', { anyOf: [ref(progress), results(progress, { paged: true })] }),
  '404': error('No job found.', noJob),
});

/** The answer to a submission whose target has an unfinished job. */
export const existingJob = (example: Record<string, unknown>): Record<string, ApiResponse> => ({
  '409': answer(
    'A job of that target has not finished; it was resumed if it was stopped.',
    ref('ExistingJob'),
    example,
  ),
});

/** The answers to a stop. */
export const stopJob = (stopped?: string): Record<string, ApiResponse> => ({
  '200': ok(stopped),
  '410': error('The job doesn’t exist or has already finished.', jobGone),
});

/** The body that stops a job. */
export const jobIdBody = body(requestSchemaOf(JobIdDto), {
  id: '54b88939-de49-46ef-acab-fe489f46d1a0',
});

/** Of a list of jobs. */
export const jobState = query('state', 'Only jobs in this state, in any case.', { type: 'string', enum: wireStates });

const startTime: Schema = {
  type: 'string',
  pattern: '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}[+-]\\d\\d:\\d\\d$',
  description: 'When the job was submitted, with a numeric offset.',
};

const errorMessage = answerObject(
  {
    message: text('A remark on the outcome, in words; may be empty.'),
    failures: { ...listOf(failure, 'The first failures, by path.'), maxItems: 20 },
  },
  ['message', 'failures'],
);

/** What the progress of every job begins with. */
export const jobFields = {
  id: uuid('Job id.'),
  startTime,
  state: oneOfTexts(wireStates, 'SUCCEEDED, FAILED and STOPPED are final until a client resumes a STOPPED job.'),
  errorMessage: { ...errorMessage, description: '{} without a message and failures.' },
};

/** `runningState` of a job that waits. */
export const waits = ['WAITING_FOR_STORE', 'WAITING_FOR_WORKER'];
export const waitingFor = {
  ...wholeAnswer({
    for: oneOfTexts(['store', 'worker'], 'What the job waits for.'),
    since: { ...text('ISO 8601.') },
    reason: text('Why, in words: what the store said last.'),
  }),
  description: 'Only while a running job waits; `errorMessage` says it too. That of a store is not known with `asOf`.',
};

export const elapsed = count('Milliseconds from the submission to now or to the end; never runs backwards.');
export const submittedPaths = listOf({ type: 'string' }, 'As submitted.');
export const submittedIndex = text('As submitted; "" without one.');
export const submittedAlias = text('As submitted, or generated.');
