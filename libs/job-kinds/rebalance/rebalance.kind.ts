import { mainPass, type Counts, type JobRecord } from '#contexts/jobs';
import {
  elapsedMs,
  errorMessage,
  passNames,
  startTime,
  waitOf,
  wireState,
  type CoordinatorJobKind,
  type LiveProgress,
  type SourcePage,
} from '#contexts/jobs/kinds';
import { answerAs } from '#schema';
import { rebalanceAnswer, type RebalanceAnswer } from './rebalance.answers.js';
import { pruning, rebalanceSpecSchema } from './spec.js';

/**
 * The coordinator's half of the rebalance job: one batch per target worker and pass. First every target fetches what
 * the ring gives it. Only when all of them have confirmed do workers prune, and then only what the new owner holds.
 */
export const rebalanceKind: CoordinatorJobKind = {
  name: 'rebalance',
  source: (rawSpec) => targetsSource(rebalanceSpecSchema.parse(rawSpec).workers),
  plan(record) {
    const { options } = rebalanceSpecSchema.parse(record.spec);
    return { batchSize: 1, placement: 'broadcast', replicas: 1, options: { ...options } };
  },
  passes: [
    { name: mainPass, abandonedCounts },
    {
      name: pruning,
      applies: (spec) => !rebalanceSpecSchema.parse(spec).options.skipPrune,
      abandonedCounts,
    },
  ],
  holdsTwice: true,
  conclude(record) {
    const failed = record.totals.filesFailed ?? 0;
    const message = [
      failed > 0 ? `${failed} files could not be moved` : '',
      record.totals.workersAbandoned ? `${record.totals.workersAbandoned} workers could not do their part` : '',
    ].filter((text) => text !== '');
    if (message.length > 0) return { state: 'FAILED', message: message.join('; ') };
    return { state: 'SUCCEEDED', message: record.scannedFiles === 0 ? 'there is no worker to rebalance' : '' };
  },
  progress,
};

function abandonedCounts(): Counts {
  return { workersAbandoned: 1 };
}

// eslint-disable-next-line @typescript-eslint/require-await -- sources are asynchronous; this one needs nothing
async function* targetsSource(workers: readonly string[]): AsyncGenerator<SourcePage> {
  yield {
    files: workers.map((workerId) => ({ path: workerId, sizeBytes: -1, version: '', workerId })),
    filteredFiles: 0,
    rejected: [],
    seenEntries: workers.length,
    cursor: 'end',
    done: true,
  };
}

function progress(record: JobRecord, nowMs: number, live: LiveProgress): RebalanceAnswer {
  const { target, workers, options } = rebalanceSpecSchema.parse(record.spec);
  const sum = (name: string): number => record.totals[name] ?? 0;
  const of = (workerId: string, name: string): number => record.byWorker[workerId]?.[name] ?? 0;
  const failed = workers.filter((id) => of(id, 'filesFailed') > 0 || of(id, 'workersAbandoned') > 0);
  const wanted = passNames(rebalanceKind, record.spec).length;
  const succeeded = workers.filter((id) => !failed.includes(id) && of(id, 'passesDone') >= wanted);
  const running = record.state.status === 'running' ? workers.length - failed.length - succeeded.length : 0;
  return answerAs(rebalanceAnswer, {
    id: record.jobId,
    startTime: startTime(record),
    state: wireState(rebalanceKind, record),
    errorMessage: errorMessage(record, live),
    timeElapsedMilliseconds: elapsedMs(record, nowMs),
    totalWorkers: workers.length,
    runningWorkers: running,
    succeededWorkers: succeeded.length,
    failedWorkers: failed.length,
    filesPreserved: sum('filesPreserved'),
    bytesPreserved: sum('bytesPreserved'),
    filesLoaded: sum('filesLoaded'),
    bytesLoaded: sum('bytesLoaded'),
    filesPruned: sum('filesPruned'),
    bytesPruned: sum('bytesPruned'),
    filesFailed: sum('filesFailed'),
    target,
    runningState: record.state.status === 'running' ? (record.state.pass === pruning ? 'PRUNING' : 'LOADING') : '',
    filesFromPeers: sum('filesFromPeers'),
    filesFromUfs: sum('filesFromUfs'),
    ...options,
    ...waitOf(live),
  });
}
