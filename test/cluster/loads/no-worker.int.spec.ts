import { clusterSuite, eventually, keys, type LoadProgress } from '#testing';

clusterSuite(
  'with no worker up',
  { workers: 1, env: { LARDER_SYNC_NO_WORKER_MS: '1000', LARDER_SYNC_MS: '4000' }, testTimeoutMs: 60_000 },
  ({ cluster, s3, test }) => {
    const sync = async (kind: string, body: object) =>
      (await cluster.api.request<LoadProgress>('POST', `/${kind}`, { body: { ...body, options: { sync: true } } }))
        .body;

    test('a sync request returns the progress so far when its time is over', async () => {
      await s3.bucket(cluster, 'slow', keys(2));
      s3.faults.set('slow', ({ operation }) => (operation === 'GetObject' ? { kind: 'hang' } : undefined));
      const answer = await sync('load', { paths: ['/slow'] });
      expect(answer).toMatchObject({ state: 'RUNNING', scannedFiles: 2 });
      await cluster.api.stopLoad(answer.id);
    });

    test('jobs show that they wait for a worker and since when, and continue when one joins', async () => {
      await s3.bucket(cluster, 'idle', keys(20));
      const gone = Date.now();
      const [{ identity }] = await cluster.api.nodes();
      expect((await cluster.api.request('DELETE', `/nodes?id=${identity}`)).status).toBe(200);
      const load = await sync('load', { paths: ['/idle'] });
      const free = await sync('free', { paths: ['/idle'] });
      for (const answer of [load, free]) {
        expect(answer).toMatchObject({
          state: 'RUNNING',
          runningState: 'WAITING_FOR_WORKER',
          errorMessage: { message: 'waiting: no worker is up' },
          waitingFor: { for: 'worker', reason: 'no worker is up' },
        });
        expect(Date.parse(answer.waitingFor!.since)).toBeGreaterThan(gone - 1_000);
      }
      await cluster.workers[0].process.restart();
      expect(await cluster.api.waitForJob(load.id)).toMatchObject({ state: 'SUCCEEDED', loadedFiles: 20 });
      await eventually('the free', async () => {
        const { body } = await cluster.api.request<LoadProgress>('GET', `/free?id=${free.id}`);
        return body.state === 'SUCCEEDED' && body.waitingFor === undefined;
      });
    });
  },
);
