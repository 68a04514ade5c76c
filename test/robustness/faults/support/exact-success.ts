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
  /** Whom to ask. Default: the first coordinator. */
  api?: ApiClient;
  seen?: (progress: LoadProgress) => void;
  timeoutMs?: number;
}

/**
 * What must hold after every fault: the job ends as SUCCEEDED under its id, its counts are exact and have only grown on
 * the way, and the workers hold every file byte for byte.
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
