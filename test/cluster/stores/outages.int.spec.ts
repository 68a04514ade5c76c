import { clusterSuite, eventually, expectCacheEqualsSource, type FaultHook, keys, sizeOf } from '#testing';
import { expectCountsToAddUp } from '../support/counts.js';

type Fault = NonNullable<ReturnType<FaultHook>>;

clusterSuite(
  'an outage of an object store',
  {
    coordinators: 2,
    // Few attempts and short pauses: a file whose attempts were counted would fail long before the end of an outage.
    env: { LARDER_RETRY_BASE_MS: '50', LARDER_MAX_ATTEMPTS: '2', LARDER_UFS_IDLE_TIMEOUT_MS: '1000' },
    testTimeoutMs: 60_000,
  },
  ({ cluster, s3, test }) => {
    /** All matching requests fail for this time, starting with request number `after`. */
    function outage(
      bucket: string,
      forMs: number,
      fault: Fault,
      { after = 0, only = (operation: string) => operation !== '' } = {},
    ) {
      let seen = 0;
      let beganMs: number | undefined;
      s3.faults.set(bucket, ({ operation }) => {
        if (!only(operation) || seen++ < after) return undefined;
        beganMs ??= performance.now();
        return performance.now() - beganMs < forMs ? fault : undefined;
      });
      return { beganMs: () => beganMs };
    }

    const outages: [string, Fault][] = [
      ['503', { kind: 'status', status: 503 }],
      ['500', { kind: 'status', status: 500 }],
      [
        '429 with Retry-After',
        { kind: 'status', status: 429, code: 'TooManyRequests', headers: { 'retry-after': '1' } },
      ],
      ['a reset', { kind: 'reset' }],
      ['silence', { kind: 'hang' }],
    ];

    test('fails no file and no job, for any kind of error and any operation', async () => {
      await Promise.all(
        outages.map(async ([name, fault], i) => {
          const bucket = `away-${i}`;
          const files = await s3.bucket(cluster, bucket, keys(300), 100);
          outage(bucket, 3_000, fault, { after: 100 });
          const id = await cluster.api.load({ paths: [`/${bucket}`], options: { verify: true } });
          const done = await cluster.api.waitForJob(id);
          expect([name, done.state, done.failedFiles, done.loadedFiles]).toEqual([name, 'SUCCEEDED', 0, 300]);
          expectCountsToAddUp(done, { files: files.length, bytes: sizeOf(files) });
        }),
      );
    });

    test('that affects only listings delays the job, also from the first request on', async () => {
      await Promise.all(
        outages.map(async ([name, fault], i) => {
          const bucket = `unlisted-${i}`;
          await s3.bucket(cluster, bucket, keys(30), 100);
          outage(bucket, 3_000, fault, { only: (operation) => operation === 'ListObjectsV2' });
          const id = await cluster.api.load({ paths: [`/${bucket}`] });
          const done = await cluster.api.waitForJob(id);
          expect([name, done.state, done.loadedFiles]).toEqual([name, 'SUCCEEDED', 30]);
          const listings = s3.seen.filter((one) => one.bucket === bucket && one.operation === 'ListObjectsV2');
          expect(listings.length).toBeLessThan(20);
        }),
      );
    });

    test('with Retry-After keeps all workers from requests for any file during that time', async () => {
      const bucket = 'patient';
      const files = await s3.bucket(cluster, bucket, keys(1_000), 100);
      const fault: Fault = { kind: 'status', status: 503, headers: { 'retry-after': '4' } };
      const { beganMs } = outage(bucket, 1_000, fault, { after: 300, only: (operation) => operation === 'GetObject' });
      const id = await cluster.api.load({ paths: [`/${bucket}`] });
      expect(await cluster.api.waitForJob(id)).toMatchObject({ state: 'SUCCEEDED', loadedFiles: files.length });
      // Each worker notices the outage by a request of its own. After that no request may come for four seconds.
      const after = s3.reads(bucket).filter(({ atMs }) => atMs > beganMs()! + 1_000 && atMs < beganMs()! + 3_900);
      expect(after).toEqual([]);
      await expectCacheEqualsSource(cluster, files, { others: 'any' });
    });

    test('that affects only listings is shown by the job through each coordinator', async () => {
      await s3.bucket(cluster, 'told', keys(3), 100);
      outage('told', Infinity, { kind: 'status', status: 503 }, { only: (operation) => operation === 'ListObjectsV2' });
      const id = await cluster.api.load({ paths: ['/told'] });
      for (const { api } of cluster.coordinators) {
        await eventually('the job to report that it waits', async () => {
          const { runningState, waitingFor } = await api.progress(id);
          return runningState === 'WAITING_FOR_STORE' && waitingFor?.for === 'store';
        });
      }
      s3.faults.delete('told');
      const done = await cluster.api.waitForJob(id);
      expect(done).toMatchObject({ state: 'SUCCEEDED', runningState: '', errorMessage: {} });
      expect(done.waitingFor).toBeUndefined();
    });

    test('is not waited for any longer when the job is stopped or the mount is removed', async () => {
      for (const [bucket, end] of [
        ['stopped', (id: string) => cluster.api.stopLoad(id)],
        ['unmounted', () => cluster.api.request('DELETE', '/mount', { body: { path: '/unmounted' } })],
      ] as const) {
        await s3.bucket(cluster, bucket, keys(300), 100);
        const forLong: Fault = { kind: 'status', status: 503, headers: { 'retry-after': '300' } };
        outage(bucket, Infinity, forLong, { after: 100 });
        const submittedMs = Date.now() - 1_000;
        const id = await cluster.api.load({ paths: [`/${bucket}`] });
        const waiting = await eventually('the job to report that it waits', async () => {
          const progress = await cluster.api.progress(id);
          return progress.runningState === 'WAITING_FOR_STORE' ? progress : undefined;
        });
        expect(waiting).toMatchObject({ state: 'RUNNING', failedFiles: 0 });
        expect(waiting.waitingFor).toMatchObject({
          for: 'store',
          reason: expect.stringContaining(`s3://${bucket}/`) as string,
        });
        expect(Date.parse(waiting.waitingFor!.since)).toBeGreaterThan(submittedMs);
        expect(waiting.errorMessage.message).toMatch(/^waiting: .*503/);
        expect(await end(id)).toMatchObject({ status: 200 });
        const state = bucket === 'stopped' ? 'STOPPED' : 'FAILED';
        expect(await cluster.api.waitForJob(id, { timeoutMs: 10_000 })).toMatchObject({ state });
      }
    });
  },
);

const lossOfWorkers = {
  env: { LARDER_HEARTBEAT_MS: '200', LARDER_WORKER_TIMEOUT_MS: '1000', LARDER_WORKER_GRACE_MS: '1000' },
  testTimeoutMs: 120_000,
};

clusterSuite('a job whose listing waits for its store', lossOfWorkers, ({ cluster, s3, test }) => {
  test('continues with the listed files, also when a worker is lost', async () => {
    await s3.bucket(cluster, 'half', keys(1_500), 10);
    const gate = s3.hold('half', 200);
    s3.faults.set('half', (request) => {
      if (request.operation !== 'ListObjectsV2') return gate.fault(request);
      return /continuation-token|start-after/.test(request.query.toString())
        ? { kind: 'status', status: 503 }
        : undefined;
    });
    const id = await cluster.api.load({ paths: ['/half'] });
    await gate.reached;
    await cluster.workers[0].process.kill9();
    gate.open();
    await eventually('all listed files to be loaded', async () => {
      const { loadedFiles, state, runningState } = await cluster.api.progress(id);
      return loadedFiles === 1_000 && state === 'RUNNING' && runningState === 'WAITING_FOR_STORE';
    });
    s3.faults.delete('half');
    expect(await cluster.api.waitForJob(id)).toMatchObject({ state: 'SUCCEEDED', loadedFiles: 1_500 });
  });
});
