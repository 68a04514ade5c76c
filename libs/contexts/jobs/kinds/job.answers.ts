import {
  answerObject,
  anything,
  count,
  flag,
  listOf,
  oneOfTexts,
  plainText,
  recordOf,
  text,
  uuid,
  wholeAnswer,
  type AnswerOf,
  type FieldsOf,
} from '#schema';
import { wireStates } from '../index.js';

/** What the answers about jobs of all kinds are made of. */

export const failureAnswer = answerObject(
  {
    path: text('UFS path.'),
    reason: text('Why it failed, in words.'),
    attempts: count('How often it was tried.'),
    workerId: text('The worker that tried.'),
  },
  ['workerId'],
);

const startTime = {
  ...text('When the job was submitted, with a numeric offset.'),
  pattern: '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}[+-]\\d\\d:\\d\\d$',
};

export const errorMessageAnswer = {
  ...answerObject(
    {
      message: text('What there is to say about the outcome, in words.'),
      failures: { ...listOf(failureAnswer, 'The first failures, by path.'), maxItems: 20 },
    },
    ['message', 'failures'],
  ),
  description: '{} when there is nothing to say.',
};
export type ErrorMessage = AnswerOf<typeof errorMessageAnswer>;

/** What the progress of every job begins with. */
export const jobFields = {
  id: uuid('Job id.'),
  startTime,
  state: oneOfTexts(wireStates, 'SUCCEEDED, FAILED and STOPPED are final until someone resumes a STOPPED job.'),
  errorMessage: errorMessageAnswer,
};

/** The progress of a job of any kind. What it has beside these fields, its kind declares. */
export type JobProgress = FieldsOf<typeof jobFields> & Readonly<Record<string, unknown>>;

/** `runningState` of a job that waits. */
export const waits = ['WAITING_FOR_STORE', 'WAITING_FOR_WORKER'] as const;
export const waitingFor = {
  ...wholeAnswer({
    for: oneOfTexts(['store', 'worker'], 'What the job stands still for.'),
    since: text('ISO 8601.'),
    reason: text('Why, in words: what the store said last.'),
  }),
  description: 'Only while a running job waits; `errorMessage` says it too. That of a store is not known with `asOf`.',
};

export const elapsed = count('Milliseconds from the submission to now or to the end; never runs backwards.');
export const submittedPaths = listOf(plainText, 'As submitted.');
export const submittedIndex = text('As submitted; "" without one.');
export const submittedAlias = text('As submitted, or made up.');

/** The answer to a submission that made a job. */
export const jobIdAnswer = wholeAnswer({ id: uuid('Job id.') });
export type JobIdAnswer = AnswerOf<typeof jobIdAnswer>;

/** The answer to a submission whose target has an unfinished job. */
export const existingJobAnswer = answerObject({
  id: uuid('Id of the job that already has this target.'),
  resumed: flag('Whether it was stopped and runs again because of this request.'),
  applied: recordOf(anything, 'Options of this request that now hold.'),
  ignored: recordOf(
    anything,
    'Options that differ and were not taken over, and fields and query parameters that are not known.',
  ),
});
export type ExistingJobAnswer = AnswerOf<typeof existingJobAnswer>;
