import { mainPass, type JobRecord } from '#contexts/jobs';
import {
  elapsedMs,
  errorMessage,
  startTime,
  waitOf,
  wireState,
  type CoordinatorJobKind,
  type LiveProgress,
  type SourcePage,
} from '#contexts/jobs/kinds';
import { answerAs } from '#schema';
import { indexSource } from '../sources/index.js';
import { freeAnswer, type FreeAnswer } from './free.answers.js';
import { freeSpecSchema } from './spec.js';

/**
 * The coordinator's half of the free job. The coordinator lists nothing: the paths go to every worker, and each worker
 * searches its own ordered index. This also finds copies whose UFS file is gone, and any number of replicas.
 */
export const freeKind: CoordinatorJobKind = {
  name: 'free',
  source(rawSpec, _pass, cursor, ports) {
    const { roots, indexPath } = freeSpecSchema.parse(rawSpec);
    return indexPath === '' ? rootsSource(roots) : indexSource(indexPath, () => true, cursor, ports);
  },
  plan(record) {
    const { batchSize, recursive, unmounted = false } = freeSpecSchema.parse(record.spec).options;
    return { batchSize, placement: 'broadcast', replicas: 1, options: { recursive, batchSize, unmounted } };
  },
  passes: [{ name: mainPass, abandonedCounts: () => ({ abandonedBatches: 1 }) }],
  conclude(record) {
    const failed = record.totals.failedFiles ?? 0;
    const message = [
      failed > 0 ? `${failed} files could not be freed` : '',
      record.totals.abandonedBatches ? 'not every worker could be asked: see the failures' : '',
      record.rejectedFiles > 0 ? `${record.rejectedFiles} lines of the index name nothing that can be freed` : '',
      record.state.sourceError ?? '',
    ].filter((text) => text !== '');
    if (message.length > 0) return { state: 'FAILED', message: message.join('; ') };
    return { state: 'SUCCEEDED', message: record.totals.freedFiles ? '' : 'nothing was cached at the given paths' };
  },
  progress,
};

// eslint-disable-next-line @typescript-eslint/require-await -- sources are asynchronous; this one needs nothing
async function* rootsSource(roots: readonly string[]): AsyncGenerator<SourcePage> {
  yield {
    files: roots.map((path) => ({ path, sizeBytes: -1, version: '' })),
    filteredFiles: 0,
    rejected: [],
    seenEntries: roots.length,
    cursor: 'end',
    done: true,
  };
}

function progress(record: JobRecord, nowMs: number, live: LiveProgress): FreeAnswer {
  const { paths, index, options } = freeSpecSchema.parse(record.spec);
  const sum = (name: string): number => record.totals[name] ?? 0;
  return answerAs(freeAnswer, {
    id: record.jobId,
    startTime: startTime(record),
    state: wireState(freeKind, record),
    errorMessage: errorMessage(record, live),
    paths,
    index,
    timeElapsedMilliseconds: elapsedMs(record, nowMs),
    freedBytes: sum('freedBytes'),
    failedBytes: sum('failedBytes'),
    totalBytes: sum('freedBytes') + sum('failedBytes'),
    freedFiles: sum('freedFiles'),
    failedFiles: sum('failedFiles'),
    // Files, not copies; the sample of the reference shows its byte count here by mistake.
    totalFiles: sum('freedFiles') + sum('failedFiles'),
    alias: record.alias,
    recursive: options.recursive,
    ...(options.unmounted ? { unmounted: true } : {}),
    freedReplicas: sum('freedReplicas'),
    inFlightFreedFiles: live.files,
    ...waitOf(live),
  });
}
