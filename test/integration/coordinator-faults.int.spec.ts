import { eventually, expectCacheEqualsSource, startCluster, type SourceFile, type TestCluster } from '#testing';
import { expectCountsToAddUp, expectProgressToGrow } from './counts.js';
import { keys, S3Lab, sizeOf } from './s3-lab.js';

describe('a load whose coordinator is killed', () => {
  let cluster: TestCluster;
  let lab: S3Lab;

  beforeAll(async () => {
    lab = await S3Lab.start();
    cluster = await startCluster({ coordinators: 1, env: { LARDER_BATCH_SIZE: '20', LARDER_BATCH_WINDOW: '4' } });
  }, 120_000);

  afterAll(async () => {
    await cluster?.dispose();
    await lab?.stop();
  });

  const test = (name: string, body: () => Promise<void>) => it(name, () => cluster.watch(body), 90_000);

  async function expectExactSuccess(id: string, files: readonly SourceFile[], api = cluster.api) {
    const done = await api.waitForJob(id, { seen: expectProgressToGrow() });
    expect(done).toMatchObject({ id, state: 'SUCCEEDED', errorMessage: {}, loadedFiles: files.length, failedFiles: 0 });
    expectCountsToAddUp(done, { files: files.length, bytes: sizeOf(files) });
    await expectCacheEqualsSource(cluster, files, { others: 'any' });
    return done;
  }

  test('fault 1: killed in the middle and restarted, it goes on with the same job to exact counts', async () => {
    const files = await lab.bucket(cluster, 'restarted', keys(2500), 100);
    const gate = lab.hold('restarted', 500);
    const id = await cluster.api.load({ paths: ['/restarted'] });
    const { id: owner } = await cluster.ownerOf(id);
    await gate.reached;
    await cluster.coordinators[0].process.kill9();
    gate.open();
    await cluster.coordinators[0].process.start();
    expect((await cluster.api.postLoad({ paths: ['/restarted'] })).body.id).toBe(id);
    const done = await expectExactSuccess(id, files);
    expect(cluster.coordinators[0].id).not.toBe(owner);
    expect(done.epoch).toBeGreaterThan(1);
    // What was read once is not read again, but for what was in flight.
    expect(lab.reads('restarted').length).toBeLessThan(2500 + 500);
  });

  test('fault 1: killed again and again, whatever it is doing', async () => {
    const files = await lab.bucket(cluster, 'often', keys(3000), 100);
    lab.faults.set('often', ({ operation }) =>
      operation === 'GetObject'
        ? { kind: 'pause', afterBytes: 0, until: new Promise((go) => setTimeout(go, 20)) }
        : undefined,
    );
    const id = await cluster.api.load({ paths: ['/often'] });
    for (const share of [0.05, 0.3, 0.6]) {
      await eventually('the job has come further', () => lab.reads('often').length > share * files.length);
      await cluster.coordinators[0].process.restart();
    }
    await expectExactSuccess(id, files);
  });
});
