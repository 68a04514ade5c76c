import { type Commit, type Recorded, type View, type ViewKey } from '#kernel';
import { markOf, placeOfBatch } from './batch-id.js';
import {
  batchBoundary,
  jobBoundary,
  mainPass,
  quotaBoundary,
  slotBoundary,
  type BatchEvent,
  type Counts,
  type DispatchedBatch,
  type FileFailure,
  type JobEvent,
  type Pass,
  type PlannedBatch,
  type QuotaReservedData,
  type SlotEvent,
  type SpecialFiles,
} from './job.events.js';
import { job, type JobState } from './job.js';
import { addSpecialFiles } from './special-files.js';

/** A planned batch that has not settled. */
export interface BatchInFlight extends PlannedBatch {
  pass: Pass;
  /** How often it was sent to a worker, for any reason; from 1. */
  attempt: number;
  /** How many workers were lost while they had the batch. */
  losses: number;
  /** True after its job was stopped: no worker works on it until it is dispatched again. */
  withdrawn: boolean;
}

export interface RecordedFailure extends FileFailure {
  /** Absent for names that were refused before any worker saw them. */
  workerId?: string;
}

/** Everything the cluster knows of one job. The job's kind decides what to show of it. */
export interface JobRecord {
  jobId: string;
  kind: string;
  target: string;
  alias: string;
  spec: Record<string, unknown>;
  actor: string;
  submittedAt: string;
  /** Of the job's own boundary: the guard for the next command. 0 before the first event there. */
  sequence: number;
  state: JobState;
  /** Counts of the main pass. scanned = filtered + rejected + planned, and planned = settled + in flight. */
  scannedFiles: number;
  filteredFiles: number;
  rejectedFiles: number;
  seenEntries: number;
  /** Absent where the source passed over nothing. */
  specialFiles?: SpecialFiles;
  plannedFiles: number;
  /** Sums over settled batches, separately for primary copies and for further replicas. */
  totals: Counts;
  replicaTotals: Counts;
  /** The same sums by worker, for all copies together. */
  byWorker: Record<string, Counts>;
  inFlight: Record<string, BatchInFlight>;
  /**
   * Reports that arrived before the event that names their batch. Owners send first and record then, and may crash in
   * between.
   */
  early: Record<string, { workerId: string; counts: Counts; failures: RecordedFailure[] }>;
  /** Set aside below quotas for a stretch that is not yet planned. */
  reservation?: QuotaReservedData;
  quotaError?: string;
  /** The first `keptFailures`; all of them are in the log. */
  failures: RecordedFailure[];
  endedAt?: string;
  outcome?: { state: 'SUCCEEDED' | 'FAILED'; message: string };
}

export interface JobsViewState {
  /** Insertion order is submission order. */
  jobs: Map<string, JobRecord>;
  /** Ids of finished jobs in the order they finished. When there are too many, the first ones leave the view. */
  finished: string[];
  /** Of the quota boundary: the guard for the next reservation. */
  quotaSequence: number;
}

export const jobs: ViewKey<JobsViewState> = { name: 'jobs' };

export const keptFailures = 50;
/** A crashed owner leaves at most one unrecorded step behind. */
const maxEarlyReports = 10_000;

/** @param maxFinished how many finished jobs stay in memory; answers about older ones are read from the log */
export function jobsView(maxFinished: number): View<JobsViewState> {
  return {
    name: jobs.name,
    version: 5,
    initial: () => ({ jobs: new Map(), finished: [], quotaSequence: 0 }),
    evolve(view, commit) {
      moveEnds(view, commit);
      evolveJobs(view, commit);
      while (view.finished.length > maxFinished) view.jobs.delete(view.finished.shift()!);
    },
    toSnapshot: (view) => ({ ...view, jobs: [...view.jobs.values()] }),
    fromSnapshot(snapshot) {
      const stored = snapshot as Omit<JobsViewState, 'jobs'> & { jobs: JobRecord[] };
      return { ...stored, jobs: new Map(stored.jobs.map((record) => [record.jobId, record])) };
    },
  };
}

/**
 * Sets the guards for the next command. Every commit counts, even a meaningless one: it too makes an append with an
 * older expected sequence fail.
 */
function moveEnds(view: JobsViewState, { boundary, sequence }: Commit): void {
  if (boundary === quotaBoundary.name) view.quotaSequence = sequence;
  const record = view.jobs.get(jobBoundary.idsIn(boundary)?.jobId ?? '');
  if (record) record.sequence = sequence;
}

/** Ids of all jobs whose records this commit may have changed. */
export function jobsChangedBy(commit: Commit): readonly string[] {
  const ids = jobBoundary.idsIn(commit.boundary) ?? batchBoundary.idsIn(commit.boundary);
  if (ids) return [ids.jobId];
  return [...slotBoundary.eventsIn(commit), ...quotaBoundary.eventsIn(commit)].map(({ data }) => data.jobId);
}

/** A commit belongs to one boundary, so at most one of these has events. */
function evolveJobs(view: JobsViewState, commit: Commit): void {
  for (const event of slotBoundary.eventsIn(commit)) applySubmission(view, event);
  for (const event of jobBoundary.eventsIn(commit)) {
    const record = view.jobs.get(jobBoundary.idsIn(commit.boundary)?.jobId ?? '');
    if (record) applyJobEvent(view, record, event);
  }
  for (const { data } of batchBoundary.eventsIn(commit)) {
    const record = view.jobs.get(batchBoundary.idsIn(commit.boundary)?.jobId ?? '');
    if (record) applyReport(record, data);
  }
  for (const { data } of quotaBoundary.eventsIn(commit)) {
    const record = view.jobs.get(data.jobId);
    if (record?.state.status === 'running') record.reservation = data;
  }
}

function applySubmission(view: JobsViewState, event: Recorded<SlotEvent>): void {
  const { jobId, kind, target, alias, spec } = event.data;
  view.jobs.set(jobId, {
    jobId,
    kind,
    target,
    alias,
    spec,
    actor: event.actor,
    submittedAt: event.at,
    sequence: 0,
    state: job.initial,
    scannedFiles: 0,
    filteredFiles: 0,
    rejectedFiles: 0,
    seenEntries: 0,
    plannedFiles: 0,
    totals: {},
    replicaTotals: {},
    byWorker: {},
    inFlight: {},
    early: {},
    failures: [],
  });
}

function applyJobEvent(view: JobsViewState, record: JobRecord, event: Recorded<JobEvent>): void {
  record.state = job.evolve(record.state, event);
  switch (event.type) {
    case 'BatchesPlanned':
      applyPlan(record, event.data);
      break;
    case 'BatchesDispatched':
      applyDispatch(record, event.data.batches, event.data.reason === 'worker-lost');
      break;
    case 'ForgottenBatchesDispatched':
      applyDispatch(record, event.data.batches, false);
      break;
    case 'BatchParked': {
      const { batchId, counts, failures } = event.data;
      const batch = record.inFlight[batchId];
      if (batch) settleBatch(record, batch, batch.workerId, counts, failures);
      break;
    }
    case 'JobStopped':
      for (const batch of Object.values(record.inFlight)) batch.withdrawn = true;
      record.reservation = undefined;
      record.endedAt = event.at;
      break;
    case 'JobResumed':
      record.endedAt = undefined;
      break;
    case 'JobFinished':
      record.endedAt = event.at;
      record.outcome = { state: event.data.state, message: event.data.message };
      record.inFlight = {};
      record.early = {};
      record.reservation = undefined;
      view.finished.push(record.jobId);
      break;
    case 'JobAssumed':
    case 'PassStarted':
    case 'JobRetuned':
      break;
    default:
      event satisfies never;
  }
}

function applyPlan(record: JobRecord, data: Extract<JobEvent, { type: 'BatchesPlanned' }>['data']): void {
  record.reservation = undefined;
  if (data.quotaError !== undefined) record.quotaError = data.quotaError;
  if (data.pass === mainPass) {
    record.scannedFiles += data.scannedFiles;
    record.filteredFiles += data.filteredFiles;
    record.rejectedFiles += data.rejected.length;
    record.seenEntries += data.seenEntries;
    keepFailures(record, data.rejected);
    if (data.specialFiles !== undefined) addSpecialFiles((record.specialFiles ??= {}), data.specialFiles);
  }
  for (const plan of data.batches) {
    const batch: BatchInFlight = { ...plan, pass: data.pass, attempt: 1, losses: 0, withdrawn: false };
    if (data.pass === mainPass && batch.copy === 0) record.plannedFiles += batch.files;
    trackBatch(record, batch);
  }
}

function applyDispatch(record: JobRecord, batches: readonly DispatchedBatch[], workerLost: boolean): void {
  for (const { id, attempt, into } of batches) {
    const batch = record.inFlight[id];
    if (!batch) continue;
    delete record.inFlight[id];
    const losses = batch.losses + (workerLost ? 1 : 0);
    for (const plan of into) trackBatch(record, { ...plan, pass: batch.pass, attempt, losses, withdrawn: false });
  }
}

function trackBatch(record: JobRecord, batch: BatchInFlight): void {
  record.inFlight[batch.id] = batch;
  const early = record.early[batch.id];
  if (!early) return;
  delete record.early[batch.id];
  settleBatch(record, batch, early.workerId, early.counts, early.failures);
}

/** Workers report at least once. Only the first report of a batch counts, and none after the job's end. */
function applyReport(record: JobRecord, data: BatchEvent['data']): void {
  if (record.state.status === 'finished') return;
  const failures = data.failures.map((failure) => ({ ...failure, workerId: data.workerId }));
  const batch = record.inFlight[data.batchId];
  if (batch) {
    settleBatch(record, batch, data.workerId, data.counts, failures);
  } else if (isAhead(record, data) && Object.keys(record.early).length < maxEarlyReports) {
    record.early[data.batchId] ??= { workerId: data.workerId, counts: data.counts, failures };
  }
}

function settleBatch(
  record: JobRecord,
  batch: BatchInFlight,
  workerId: string,
  counts: Counts,
  failures: RecordedFailure[],
): void {
  delete record.inFlight[batch.id];
  addTo(batch.copy === 0 ? record.totals : record.replicaTotals, counts);
  addTo((record.byWorker[workerId] ??= {}), counts);
  keepFailures(record, failures);
}

function addTo(sums: Counts, counts: Counts): void {
  for (const [name, value] of Object.entries(counts)) sums[name] = (sums[name] ?? 0) + value;
}

function keepFailures(record: JobRecord, failures: RecordedFailure[]): void {
  record.failures.push(...failures.slice(0, keptFailures - record.failures.length));
}

function isAhead(record: JobRecord, { batchId: id, attempt }: BatchEvent['data']): boolean {
  const at = placeOfBatch(id);
  if (!at) return false;
  const { pass, earlierPasses, steps } = record.state;
  if (at.mark !== markOf(pass)) return !earlierPasses.some((earlier) => markOf(earlier) === at.mark);
  if (at.step >= steps) return true;
  // The batch was sent again in other parts, and the log does not have that event yet. Until then the whole batch is in
  // flight.
  return Object.values(record.inFlight).some(
    (batch) =>
      batch.attempt === attempt - 1 && markOf(batch.pass) === at.mark && placeOfBatch(batch.id)?.step === at.step,
  );
}
