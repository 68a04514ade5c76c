import { mainPass, type JobRecord, type WireState } from '#contexts/jobs';
import { elapsedMs, errorMessage, startTime, waitOf, type LiveProgress } from '#contexts/jobs/kinds';
import { answerAs } from '#schema';
import { loadAnswer, type LoadAnswer } from './load.answers.js';
import { loadSpecOf, verification } from './spec.js';

export function loadProgress(record: JobRecord, wireState: WireState, nowMs: number, live: LiveProgress): LoadAnswer {
  const { paths, index, options } = loadSpecOf(record.spec);
  const { totals, replicaTotals, state } = record;
  const sum = (name: string): number => totals[name] ?? 0;
  const inFlight = Object.values(record.inFlight).filter((batch) => batch.copy === 0 && batch.pass === mainPass);
  const inFlightFiles = inFlight.reduce((files, batch) => files + batch.files, 0);
  const inFlightBytes = inFlight.reduce((bytes, batch) => bytes + batch.bytes, 0);
  const failedFiles = sum('failedFiles') + record.rejectedFiles;
  const replicaFailures = (replicaTotals.failedFiles ?? 0) + (replicaTotals.verifyFailedFiles ?? 0);
  const anyFailure = failedFiles + replicaFailures + sum('verifyFailedFiles') > 0;
  return answerAs(loadAnswer, {
    id: record.jobId,
    startTime: startTime(record),
    state: wireState,
    runningState: runningState(record),
    errorMessage: errorMessage(record, live),
    failedFileListPath: anyFailure ? `/api/v1/load/${record.jobId}/failed_files` : '',
    paths,
    index,
    skipIfExists: options.skipIfExists,
    loadMetadataOnly: options.loadMetadataOnly,
    verify: options.verify,
    bandwidth: state.bandwidth ?? options.bandwidth,
    timeElapsedMilliseconds: elapsedMs(record, nowMs),
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
    ...(record.specialFiles ? { specialFiles: record.specialFiles } : {}),
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
    listingComplete: state.sourceDone || state.pass === verification,
    ...waitOf(live),
  });
}

function runningState(record: JobRecord): LoadAnswer['runningState'] {
  const { status, pass, sourceDone, owner } = record.state;
  if (status !== 'running') return '';
  if (owner === undefined) return 'WAITING';
  if (pass === verification) return 'VERIFYING';
  if (Object.values(record.inFlight).some((batch) => batch.attempt > 1)) return 'RETRYING';
  return sourceDone ? 'LOADING' : 'LISTING';
}
