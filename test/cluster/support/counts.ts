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

/**
 * Waits for the load of these files. It must succeed with exact counts that never went back, and the cache must hold the
 * files.
 * @param api of the coordinator to ask. Default: the first
 */
export async function expectExactSuccess(
  cluster: TestCluster,
  id: string,
  files: readonly SourceFile[],
  api: ApiClient = cluster.api,
): Promise<LoadProgress> {
  const done = await api.waitForJob(id, { seen: expectProgressToGrow() });
  expect(done).toMatchObject({ id, state: 'SUCCEEDED', errorMessage: {}, loadedFiles: files.length, failedFiles: 0 });
  expectCountsToAddUp(done, { files: files.length, bytes: sizeOf(files) });
  await expectCacheEqualsSource(cluster, files, { others: 'any' });
  return done;
}
