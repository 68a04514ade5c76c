import { job, type JobEvent, type JobRecord } from '../index.js';

/**
 * The last event of a job carries its whole record: an answer about an old job is then read from the last message of
 * its boundary, without a search through the log.
 */
export function finishData(
  record: JobRecord,
  epoch: number,
  state: 'SUCCEEDED' | 'FAILED',
  message: string,
): Extract<JobEvent, { type: 'JobFinished' }>['data'] {
  const data = { epoch, state, message, summary: {} };
  const summary: JobRecord = {
    ...record,
    state: job.evolve(record.state, { type: 'JobFinished', data }),
    inFlight: {},
    early: {},
    endedAt: new Date().toISOString(),
    outcome: { state, message },
  };
  return { ...data, summary: { ...summary } };
}
