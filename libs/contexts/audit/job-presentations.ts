import { mainPass, type BatchEvent, type JobEvent, type Pass, type QuotaEvent, type SlotEvent } from '#contexts/jobs';
import { pathsOfFailures, present, shownBatch, shownFailures, type Presentation } from './presentation.js';

type Event = SlotEvent | JobEvent | QuotaEvent | BatchEvent;
type Presentations = { readonly [Type in Event['type']]: Presentation<Extract<Event, { type: Type }>['data']> };

/** The events of jobs. Not shown: cursors of the source, sequences in the work stream, and inner accounts of quotas. */
export const jobPresentations: Presentations = {
  JobSubmitted: {
    scope: 'slot',
    show: ({ jobId, kind, alias, spec }) => ({ jobId, jobKind: kind, alias, ...shownSpec(spec) }),
    paths: ({ spec }) => pathsOfSpec(spec),
    ids: ({ jobId, spec }) => [jobId, ...texts(spec.target), ...texts(spec.workers)],
  },
  JobAssumed: {
    scope: 'job',
    show: ({ owner, epoch }, jobId) => ({ jobId, owner, epoch }),
    ids: ({ owner }) => [owner],
  },
  BatchesPlanned: {
    scope: 'job',
    show: ({ epoch, pass, step, done, scannedFiles, filteredFiles, rejected, batches, ...rest }, jobId) => ({
      ...{ jobId, epoch, pass: shownPass(pass), step, done, scannedFiles, filteredFiles },
      rejected: shownFailures(rejected),
      batches: batches.map(shownBatch),
      ...present({ sourceError: rest.sourceError, quotaError: rest.quotaError, specialFiles: rest.specialFiles }),
    }),
    paths: ({ rejected, specialFiles = {} }) => [
      ...pathsOfFailures(rejected),
      ...Object.values(specialFiles).flatMap(({ examples }) => examples),
    ],
    ids: ({ batches }) => batches.map(({ workerId }) => workerId),
  },
  ForgottenBatchesDispatched: {
    scope: 'job',
    show: ({ epoch, batches }, jobId) => ({ jobId, epoch, batches: batches.map(shownReplacement) }),
    ids: ({ batches }) => batches.flatMap(({ into }) => into.map(({ workerId }) => workerId)),
  },
  BatchesDispatched: {
    scope: 'job',
    show: ({ epoch, reason, batches }, jobId) => ({
      ...{ jobId, epoch, reason },
      batches: batches.map(shownReplacement),
    }),
    ids: ({ batches }) => batches.flatMap(({ into }) => into.map(({ workerId }) => workerId)),
  },
  BatchParked: {
    scope: 'job',
    show: ({ epoch, batchId, counts, failures }, jobId) => ({
      ...{ jobId, epoch, batchId, counts },
      failures: shownFailures(failures),
    }),
    paths: ({ failures }) => pathsOfFailures(failures),
  },
  PassStarted: { scope: 'job', show: ({ epoch, pass }, jobId) => ({ jobId, epoch, pass: shownPass(pass) }) },
  JobStopped: { scope: 'job', show: (_data, jobId) => ({ jobId }) },
  JobResumed: { scope: 'job', show: ({ bandwidth }, jobId) => present({ jobId, bandwidth }) },
  JobRetuned: { scope: 'job', show: ({ bandwidth }, jobId) => ({ jobId, bandwidth }) },
  JobFinished: {
    scope: 'job',
    show: ({ epoch, state, message, summary }, jobId) => ({
      ...{ jobId, epoch, state, message },
      ...present({
        scannedFiles: summary.scannedFiles,
        filteredFiles: summary.filteredFiles,
        rejectedFiles: summary.rejectedFiles,
        specialFiles: summary.specialFiles,
        totals: summary.totals,
        replicaTotals: summary.replicaTotals,
      }),
    }),
    paths: ({ summary }) => [
      ...pathsOfSpec((summary.spec ?? {}) as Record<string, unknown>),
      ...((summary.failures ?? []) as { path: string }[]).map(({ path }) => path),
    ],
  },
  BatchSettled: {
    scope: 'batch',
    show: ({ jobId, batchId, workerId, epoch, attempt, counts, failures }) => ({
      ...{ jobId, batchId, workerId, epoch, attempt, counts },
      failures: shownFailures(failures),
    }),
    paths: ({ failures }) => pathsOfFailures(failures),
    ids: ({ workerId }) => [workerId],
  },
  QuotaReserved: {
    scope: 'quota',
    show: ({ jobId, pass, step, bytes }) => ({ jobId, pass: shownPass(pass), step, bytes }),
    paths: ({ bytes }) => Object.keys(bytes),
    ids: ({ jobId }) => [jobId],
  },
};

/** Clients of this API know the main pass by the name `load`. */
const shownPass = (pass: Pass): string => (pass === mainPass ? 'load' : pass);

type Replacement = Extract<JobEvent, { type: 'BatchesDispatched' }>['data']['batches'][number];

function shownReplacement({ id, attempt, into }: Replacement): Record<string, unknown> {
  return { id, attempt, into: into.map(shownBatch) };
}

/** What a job of a known kind works on: paths, an index file, or a target. */
function shownSpec(spec: Record<string, unknown>): Record<string, unknown> {
  const { paths, index, roots, indexPath, target, workers, options } = spec;
  return present({ paths, index, roots, indexPath, target, workers, options });
}

function pathsOfSpec({ paths, roots, index, indexPath }: Record<string, unknown>): string[] {
  return [paths, roots, index, indexPath].flatMap(texts).filter((path) => path !== '');
}

function texts(value: unknown): string[] {
  return [value].flat().filter((one) => typeof one === 'string');
}
