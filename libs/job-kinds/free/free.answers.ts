import {
  elapsed,
  jobFields,
  submittedAlias,
  submittedIndex,
  submittedPaths,
  waitingFor,
  waits,
} from '#contexts/jobs/kinds';
import { count, flag, oneOfTexts, wholeAnswer, type AnswerOf } from '#schema';

/** The progress object of the REST reference. Larder's additions follow the documented fields. */
export const freeAnswer = wholeAnswer(
  {
    ...jobFields,
    paths: submittedPaths,
    index: submittedIndex,
    timeElapsedMilliseconds: elapsed,
    freedBytes: count('Bytes freed.'),
    failedBytes: count('Bytes that could not be freed.'),
    totalBytes: count('Both.'),
    freedFiles: count('Freed files. Each counts once, with any number of replicas.'),
    failedFiles: count('Files that could not be freed.'),
    totalFiles: count('Both. Files, not bytes.'),
    alias: submittedAlias,
    recursive: flag('Option in force.'),
    freedReplicas: count('Further copies freed.'),
    inFlightFreedFiles: count('Freed by batches that are still in hand.'),
    unmounted: flag('Option in force; absent when it is not.'),
    runningState: oneOfTexts(waits, 'Only while it waits.'),
    waitingFor,
  },
  ['unmounted', 'runningState', 'waitingFor'],
);
export type FreeAnswer = AnswerOf<typeof freeAnswer>;
