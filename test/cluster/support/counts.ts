import {
  type ApiClient,
  expectCacheEqualsSource,
  type LoadProgress,
  sizeOf,
  type SourceFile,
  type TestCluster,
} from '#testing';

/** Checks that every scanned file, and every byte, has exactly one outcome. */
export function expectCountsToAddUp(progress: LoadProgress, expected: { files: number; bytes?: number }): void {
  const { loadedFiles, skippedFiles, failedFiles, filteredFiles, inFlightFiles } = progress;
  expect(loadedFiles + skippedFiles + failedFiles + filteredFiles + inFlightFiles).toBe(progress.scannedFiles);
  expect(progress.scannedFiles).toBe(expected.files);
  if (expected.bytes === undefined) return;
  expect(progress.loadedBytes + progress.skippedBytes + progress.failedBytes).toBe(progress.totalBytes);
  expect(progress.totalBytes).toBe(expected.bytes);
}

const growing = [
  'scannedFiles',
  'loadedFiles',
  'loadedBytes',
  'skippedFiles',
  'skippedBytes',
  'failedFiles',
  'failedBytes',
  'filteredFiles',
  'loadedNonEmptyFiles',
  'verifiedFiles',
] as const satisfies readonly (keyof LoadProgress)[];

/**
 * For the `seen` of `waitForJob`: no counter ever goes back, and each scanned file is always settled or in flight.
 */
export function expectProgressToGrow(): (progress: LoadProgress) => void {
  let before: LoadProgress | undefined;
  return (progress) => {
    for (const name of before ? growing : []) {
      if (progress[name] < before![name]) {
        throw new Error(`${name} went back from ${before![name]} to ${progress[name]}`);
      }
    }
    expectCountsToAddUp(progress, { files: progress.scannedFiles });
    // The elapsed time may shrink by the time that the last event took into the log: the owner decides the end before.
    expect(progress.timeElapsedMilliseconds).toBeGreaterThanOrEqual(0);
    before = progress;
  };
}

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
