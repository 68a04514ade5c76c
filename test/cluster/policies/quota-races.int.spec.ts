import { clusterSuite, keys, type SourceFile } from '#testing';
import { bytesOf, call, heldBy, jobEnd, pathsOf, readThrough, runJob } from './support/calls.js';

const sizeBytes = 1000;

/** Heartbeats are rare, so their values are old when a coordinator decides about a quota. */
clusterSuite(
  'quotas while heartbeats are old',
  {
    coordinators: 2,
    workers: 1,
    env: {
      LARDER_HEARTBEAT_MS: '20000',
      LARDER_WORKER_TIMEOUT_MS: '90000',
      LARDER_BATCH_SIZE: '10',
      LARDER_WORKER_BATCHES: '1',
    },
    testTimeoutMs: 120_000,
  },
  ({ cluster, s3, test }) => {
    const setQuota = (path: string, quotaBytes: number) => call(cluster.api, 'POST', '/quota', { path, quotaBytes });
    const load = (paths: string[]) => runJob(cluster.api, 'load', { paths });
    const rebalance = (skipPrune: boolean) =>
      runJob(cluster.api, 'rebalance', { target: 'ALL', options: { skipPrune } });

    /** Bytes of all copies, as the workers report them. */
    async function copiesOf(files: readonly SourceFile[]): Promise<number> {
      const held = await Promise.all(cluster.workers.map((worker) => heldBy(worker, pathsOf(files))));
      return held.reduce((sum, { size }) => sum + size * sizeBytes, 0);
    }

    const readAll = (files: readonly SourceFile[]) =>
      Promise.all(files.map((file, i) => readThrough(cluster.workers[i % cluster.workers.length], file.path)));

    test('a resumed job gets the room that is left, not the room that it had before the stop', async () => {
      const files = await s3.bucket(cluster, 'resumed', [...keys(40, 'a'), ...keys(30, 'b')], sizeBytes);
      const [a, b] = [files.slice(0, 40), files.slice(40)];
      await setQuota('/resumed', 50_000);
      const gate = s3.hold('resumed', 5);
      const id = await cluster.api.load({ paths: ['/resumed/a'] });
      await gate.reached;
      await call(cluster.api, 'DELETE', '/load', { id });
      expect(await jobEnd(cluster.api, 'load', id)).toMatchObject({ state: 'STOPPED' });
      gate.open();
      const before = await copiesOf(a);
      expect(before).toBeLessThanOrEqual(20_000);
      expect(await load(['/resumed/b'])).toMatchObject({ state: 'SUCCEEDED', loadedFiles: 30 });

      const again = await cluster.api.request('POST', '/load', { body: { paths: ['/resumed/a'] } });
      expect(again).toMatchObject({ status: 409 });
      const resumed = await jobEnd(cluster.api, 'load', id);
      expect(resumed).toMatchObject({ state: 'FAILED', loadedFiles: 20, failedFiles: 20 });
      for (const { reason } of await cluster.api.failedFiles(id)) {
        expect(reason).toMatch(/the quota of \/resumed \(50000 bytes\) would be exceeded/);
      }
      expect(await copiesOf([...a, ...b])).toBe(50_000);
      expect(await runJob(cluster.api, 'free', { paths: ['/resumed'] })).toMatchObject({ state: 'SUCCEEDED' });
    });

    test('readers and loads find copies that a rebalance has just added', async () => {
      const files = await s3.bucket(
        cluster,
        'moved',
        [...keys(40, 'a'), ...keys(60, 'b'), ...keys(60, 'c')],
        sizeBytes,
      );
      const [a, b] = [files.slice(0, 40), files.slice(40, 100)];
      expect(await load(['/moved/a'])).toMatchObject({ state: 'SUCCEEDED' });
      await setQuota('/moved', 70_000);
      await cluster.startWorker();
      expect(await rebalance(true)).toMatchObject({ state: 'SUCCEEDED' });
      const doubled = await copiesOf(a);
      expect(doubled).toBeGreaterThan(40_000);
      await readAll(b);
      const filled = await copiesOf(files);
      expect(filled).toBeLessThanOrEqual(70_000);
      expect(filled).toBeGreaterThan(doubled);

      // The same again, one by one: grants that were not used must give back every byte.
      for (const file of b) await readThrough(cluster.workers[0], file.path);
      expect(await copiesOf(files)).toBe(70_000);
      expect(await load(['/moved/c'])).toMatchObject({ state: 'FAILED', loadedFiles: 0 });

      expect(await rebalance(false)).toMatchObject({ state: 'SUCCEEDED' });
      expect(await copiesOf(a)).toBe(40_000);
      expect(await copiesOf(files)).toBeLessThan(70_000);
      await Promise.all([
        readAll(files.slice(100)),
        runJob(cluster.coordinators[1].api, 'load', { paths: ['/moved/b'] }),
      ]);
      expect(await copiesOf(files)).toBeLessThanOrEqual(70_000);
      expect(await runJob(cluster.api, 'free', { paths: ['/moved'] })).toMatchObject({ state: 'SUCCEEDED' });
    });

    test('a rebalance that keeps the old copies adds none without room, and gives the reason', async () => {
      const files = await s3.bucket(cluster, 'kept', keys(60), sizeBytes);
      expect(await load(['/kept'])).toMatchObject({ state: 'SUCCEEDED' });
      await setQuota('/kept', bytesOf(files));
      await cluster.startWorker();
      const { state, errorMessage } = await rebalance(true);
      expect(state).toBe('FAILED');
      for (const { reason } of errorMessage.failures!) {
        expect(reason).toBe('the quota of /kept (60000 bytes) would be exceeded');
      }
      expect(await copiesOf(files)).toBe(60_000);
      expect(await rebalance(false)).toMatchObject({ state: 'SUCCEEDED' });
      expect(await copiesOf(files)).toBe(60_000);
    });

    test('a rebalance moves a directory at its full quota to a worker that joins', async () => {
      const files = await s3.bucket(cluster, 'full', keys(60), sizeBytes);
      await setQuota('/full', bytesOf(files));
      expect(await load(['/full'])).toMatchObject({ state: 'SUCCEEDED' });
      const { id } = await cluster.startWorker();
      expect(await rebalance(false)).toMatchObject({ state: 'SUCCEEDED' });
      expect(await copiesOf(files)).toBe(60_000);
      const joined = cluster.workers.find((worker) => worker.id === id)!;
      expect((await heldBy(joined, pathsOf(files))).size).toBeGreaterThan(0);
    });
  },
);
