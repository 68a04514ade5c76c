import {
  type ApiClient,
  expectCacheEqualsSource,
  type LoadProgress,
  sizeOf,
  type SourceFile,
  type TestCluster,
} from '#testing';
import { expectCountsToAddUp, expectProgressToGrow } from '../../../cluster/support/counts.js';

export interface ExactSuccessOptions {
  /** The API to ask. Default: that of the first coordinator. */
  api?: ApiClient;
  seen?: (progress: LoadProgress) => void;
  timeoutMs?: number;
}

/**
 * Checks the promise after every fault: the job ends as SUCCEEDED under its id, its counts are exact and never fell, and
 * the workers hold every file byte for byte.
 */
export async function expectExactSuccess(
  cluster: TestCluster,
  id: string,
  files: readonly SourceFile[],
  { api = cluster.api, seen, timeoutMs }: ExactSuccessOptions = {},
): Promise<LoadProgress> {
  const grows = expectProgressToGrow();
  const done = await api.waitForJob(id, {
    timeoutMs,
    seen: (progress) => {
      grows(progress);
      seen?.(progress);
    },
  });
  expect(done).toMatchObject({ id, state: 'SUCCEEDED', errorMessage: {}, loadedFiles: files.length, failedFiles: 0 });
  expectCountsToAddUp(done, { files: files.length, bytes: sizeOf(files) });
  await expectCacheEqualsSource(cluster, files, { others: 'any' });
  return done;
}
