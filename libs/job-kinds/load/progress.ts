import type { JobRecord } from '#contexts/jobs';
import type { LiveProgress } from '../kind.js';
import { loadSpecSchema } from './spec.js';

/** How many failures stand in `errorMessage`; all of them are behind `failedFileListPath`. */
const shownFailures = 20;

/** The progress object of the REST reference, with Larder's additions behind the documented fields. */
export function loadProgress(record: JobRecord, nowMs: number, live: LiveProgress): Record<string, unknown> {
  const { paths, index, options } = loadSpecSchema.parse(record.spec);
  const { totals, replicaTotals, state } = record;
  const sum = (name: string): number => totals[name] ?? 0;
  const inFlight = Object.values(record.inFlight).filter((batch) => batch.copy === 0 && batch.pass === 'load');
  const inFlightFiles = inFlight.reduce((files, batch) => files + batch.files, 0);
  const inFlightBytes = inFlight.reduce((bytes, batch) => bytes + batch.bytes, 0);
  const failedFiles = sum('failedFiles') + record.rejectedFiles;
  const replicaFailures = (replicaTotals.failedFiles ?? 0) + (replicaTotals.verifyFailedFiles ?? 0);
  const anyFailure = failedFiles + replicaFailures + sum('verifyFailedFiles') > 0;
  const startMs = Date.parse(record.submittedAt);
  const endMs = record.endedAt === undefined ? nowMs : Date.parse(record.endedAt);
  return {
    id: record.jobId,
    startTime: offsetTime(record.submittedAt),
    state: wireState(record),
    runningState: runningState(record),
    errorMessage: errorMessage(record),
    failedFileListPath: anyFailure ? `/api/v1/load/${record.jobId}/failed_files` : '',
    paths,
    index,
    skipIfExists: options.skipIfExists,
    loadMetadataOnly: options.loadMetadataOnly,
    verify: options.verify,
    bandwidth: state.bandwidth ?? options.bandwidth,
    // Clocks of different machines may disagree; time never runs backwards for the reader.
    timeElapsedMilliseconds: Math.max(0, endMs - startMs),
    loadedBytes: sum('loadedBytes'),
    skippedBytes: sum('skippedBytes'),
    totalBytes: sum('loadedBytes') + sum('skippedBytes') + sum('failedBytes') + inFlightBytes,
    loadedNonEmptyFiles: sum('loadedNonEmptyFiles'),
    failedFiles,
    scannedFiles: record.scannedFiles,
    ...(live.quota ? { quota: live.quota, quotaCheckError: record.quotaError ?? '' } : {}),
    alias: record.alias,
    loadedFiles: sum('loadedFiles'),
    skippedFiles: sum('skippedFiles'),
    filteredFiles: record.filteredFiles,
    inFlightFiles,
    inFlightLoadedBytes: Math.min(live.bytes, inFlightBytes || live.bytes),
    failedBytes: sum('failedBytes'),
    verifiedFiles: sum('verifiedFiles'),
    repairedFiles: sum('repairedFiles'),
    verifyFailedFiles: sum('verifyFailedFiles'),
    replicas: options.replicas,
    replicaFilesLoaded: (replicaTotals.loadedFiles ?? 0) + (replicaTotals.skippedFiles ?? 0),
    replicaFilesFailed: replicaFailures,
    batchSize: options.batchSize,
    fileFilterRegex: options.fileFilterRegex,
    owner: state.owner ?? '',
    epoch: state.epoch,
    listingComplete: state.sourceDone || state.pass === 'verify',
  };
}

function wireState(record: JobRecord): string {
  switch (record.state.status) {
    case 'finished':
      return record.outcome?.state ?? 'FAILED';
    case 'stopped':
      return 'STOPPED';
    case 'running':
      return record.state.pass === 'verify' ? 'VERIFYING' : 'RUNNING';
  }
}

function runningState(record: JobRecord): string {
  const { status, pass, sourceDone, owner } = record.state;
  if (status !== 'running') return '';
  if (owner === undefined) return 'WAITING';
  if (pass === 'verify') return 'VERIFYING';
  if (Object.values(record.inFlight).some((batch) => batch.attempt > 1)) return 'RETRYING';
  return sourceDone ? 'LOADING' : 'LISTING';
}

/** `{}` when there is nothing to say; else a sentence and the first failures by path. */
function errorMessage(record: JobRecord): Record<string, unknown> {
  const message = record.outcome?.message ?? record.state.sourceError ?? '';
  const failures = record.failures.slice(0, shownFailures);
  return {
    ...(message === '' ? {} : { message }),
    ...(failures.length === 0 ? {} : { failures }),
  };
}

/** `2024-11-21T20:58:26.957+00:00`: the reference shows a numeric offset, and some parsers insist on it. */
function offsetTime(iso: string): string {
  return iso.replace(/Z$/, '+00:00');
}
