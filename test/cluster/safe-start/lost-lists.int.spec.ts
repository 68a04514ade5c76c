import { connectNats, Names, type NatsLink } from '#jetstream';
import { clusterSuite, expectCacheEqualsSource, keys, type LoadProgress, sizeOf, type SourceFile } from '#testing';
import { expectCountsToAddUp, expectProgressToGrow } from '../support/counts.js';

const names = new Names();
const batchSize = 20;
/** More files than are planned at once. */
const fileCount = 2500;

const options = {
  workers: 1,
  env: { LARDER_BATCH_SIZE: `${batchSize}`, LARDER_BATCH_WINDOW: '8', LARDER_WORKER_BATCHES: '1' },
  clusterPer: 'test',
  testTimeoutMs: 120_000,
} as const;

clusterSuite('a running job whose lists were lost from the work stream', options, ({ cluster, s3, test }) => {
  let link: NatsLink;
  beforeEach(async () => void (link = await connectNats({ url: cluster.nats.url, name: 'test' })));
  afterEach(() => link?.close());

  /** Checks that the job ends as FAILED and reports the outcome of each file. A second submission must succeed. */
  async function expectHonestEnd(id: string, files: readonly SourceFile[]): Promise<LoadProgress> {
    const done = await cluster.api.waitForJob(id, { seen: expectProgressToGrow(), timeoutMs: 90_000 });
    expect(done).toMatchObject({ id, state: 'FAILED', inFlightFiles: 0 });
    expectCountsToAddUp(done, { files: files.length, bytes: sizeOf(files) });
    expect(done.failedFiles).toBeGreaterThan(0);
    const failures = await cluster.api.failedFiles(id);
    expect(failures.every(({ reason }) => reason === 'the list of these files is no longer in the work stream')).toBe(
      true,
    );
    // Without the list the names of the files are lost. Each batch is one line, but the counts are of files.
    expect(failures.length * batchSize).toBe(done.failedFiles);
    const bucket = new URL(files[0].path).host;
    const again = await cluster.api.load({ paths: [`/${bucket}`], options: { skipIfExists: true } });
    expect(again).not.toBe(id);
    const second = await cluster.api.waitForJob(again);
    expect(second).toMatchObject({ state: 'SUCCEEDED', failedFiles: 0 });
    expectCountsToAddUp(second, { files: files.length, bytes: sizeOf(files) });
    await expectCacheEqualsSource(cluster, files, { others: 'any' });
    return done;
  }

  test('fails exactly the files in flight when the stream was created again and reuses sequences', async () => {
    const files = await s3.bucket(cluster, 'anew', keys(fileCount), 100);
    const gate = s3.hold('anew', 100);
    const id = await cluster.api.load({ paths: ['/anew'] });
    await gate.reached;
    const [coordinator, worker] = [cluster.coordinators[0].process, cluster.workers[0].process];
    await worker.kill9();
    const { inFlightFiles } = await cluster.api.progress(id);
    await coordinator.kill9();
    await link.jsm.streams.delete(names.workStream);
    gate.open();
    await coordinator.start();
    await worker.start();
    const done = await expectHonestEnd(id, files);
    // Only batches in flight may fail, not those that got the sequences of the lost lists afterwards.
    expect(inFlightFiles).toBeLessThan(fileCount);
    expect(done.failedFiles).toBe(inFlightFiles);
  });

  test('fails the files in flight when the lists are lost while all processes run', async () => {
    const files = await s3.bucket(cluster, 'running', keys(fileCount), 100);
    const gate = s3.hold('running', 100);
    const id = await cluster.api.load({ paths: ['/running'] });
    await gate.reached;
    const { inFlightFiles } = await cluster.api.progress(id);
    await link.jsm.streams.purge(names.workStream);
    gate.open();
    const done = await expectHonestEnd(id, files);
    // The worker had fetched up to three batches. It completes and reports those.
    expect(done.failedFiles).toBeLessThanOrEqual(inFlightFiles);
    expect(done.failedFiles).toBeGreaterThanOrEqual(inFlightFiles - 3 * batchSize);
  });
});
