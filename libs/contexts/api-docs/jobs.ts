import { wireStates } from '#contexts/jobs';
import { JobIdDto } from '#contexts/jobs/http';
import { requestSchemaOf } from '#runtime';
import { pageOf, ref, type Schema } from '#schema';
import type { ApiResponse } from './openapi.js';
import { answer, body, error, ok, query } from './responses.js';

/** What the descriptions of all kinds of jobs are made of. */

const jobGone = "The job doesn't exist or has already finished";
export const noJob = 'No job found...';

/** Both what a submission answers at once and what it answers with `sync`. */
export const submitted = (progress: string): Schema => ({
  anyOf: [ref(progress), ref('JobId')],
});

/** The answers to a GET: one job, or the list of them. */
export const readJobs = (progress: string): Record<string, ApiResponse> => ({
  '200': answer('Progress of the job, or the list.', { anyOf: [ref(progress), pageOf(ref(progress))] }),
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
