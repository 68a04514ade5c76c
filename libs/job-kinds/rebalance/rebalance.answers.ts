import { elapsed, jobFields, waitingFor, waits } from '#contexts/jobs/kinds';
import { count, flag, oneOfTexts, text, wholeAnswer, type AnswerOf } from '#schema';

/** The progress object of the REST reference. Larder's additions follow the documented fields. */
export const rebalanceAnswer = wholeAnswer(
  {
    ...jobFields,
    timeElapsedMilliseconds: elapsed,
    totalWorkers: count('Workers the job is about.'),
    runningWorkers: count('Of those, still at it.'),
    succeededWorkers: count('Of those, done.'),
    failedWorkers: count('Of those, not able to do their part.'),
    filesPreserved: count('Files that were where they belong.'),
    bytesPreserved: count('Their bytes.'),
    filesLoaded: count('Files brought to where they belong.'),
    bytesLoaded: count('Their bytes.'),
    filesPruned: count('Copies removed from where they no longer belong.'),
    bytesPruned: count('Their bytes.'),
    filesFailed: count('Files that could not be moved.'),
    target: text('As submitted.'),
    runningState: oneOfTexts(['', 'LOADING', 'PRUNING', ...waits], 'The activity of a running job; "" otherwise.'),
    filesFromPeers: count('Of the loaded files, those fetched from another worker.'),
    filesFromUfs: count('Of the loaded files, those fetched from the UFS.'),
    loadBatchSize: count('Option in force.'),
    loadBandwidth: count('Bytes/s per worker in force; 0 = unlimited.'),
    pruneBandwidth: count('Bytes/s per worker in force; 0 = unlimited.'),
    skipPrune: flag('Option in force.'),
    waitingFor,
  },
  ['waitingFor'],
);
export type RebalanceAnswer = AnswerOf<typeof rebalanceAnswer>;
