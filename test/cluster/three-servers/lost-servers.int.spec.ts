import { join } from 'node:path';
import { clusterSuite, eventually, expectCacheEqualsSource, FileTree } from '#testing';
import { expectCountsToAddUp, expectProgressToGrow } from '../support/counts.js';

clusterSuite(
  'three nats-servers',
  {
    natsServers: 3,
    coordinators: 2,
    workers: 2,
    env: { LARDER_BATCH_SIZE: '10', LARDER_BATCH_WINDOW: '4', LARDER_WORKER_BATCHES: '1' },
  },
  ({ cluster }) => {
    it('after the loss of two, writes return 503, reads show their age, and all continues when the servers return', async () => {
      await cluster.watch(async () => {
        const tree = FileTree.create(join(cluster.directory, 'source'), { seed: 5, smallFiles: 4_000 });
        await cluster.api.mount('/source', tree.fileRoot);
        const id = await cluster.api.load({ paths: ['/source'] });
        await eventually('the load is under way', async () => (await cluster.api.progress(id)).loadedFiles > 0);
        const leader = await cluster.natsCluster.leaderOf('larder-evt');
        const lost = [leader, cluster.natsCluster.nodes.find((node) => node !== leader)!];
        await Promise.all(lost.map((node) => node.kill9()));

        for (const { api } of cluster.coordinators) {
          await eventually('reads show their age', async () => {
            const { status, headers } = await api.request('GET', `/load?id=${id}`);
            return status === 200 && /^\d+$/.test(String(headers['x-larder-stale']));
          });
          const write = await api.request('POST', '/mount', {
            body: { path: '/lost', ufs: `file://${cluster.directory}/lost/` },
          });
          expect(write.status).toBe(503);
          expect(write.body.status).toMatch(/NATS|log/);
          for (const path of ['/mount', '/nodes', '/load']) {
            const { status, headers } = await api.request('GET', path);
            expect({ path, status }).toEqual({ path, status: 200 });
            expect(Number(headers['x-larder-stale'])).toBeGreaterThan(0);
          }
        }

        await Promise.all(lost.map((node) => node.restart()));
        for (const { api } of cluster.coordinators) {
          await eventually('reads are fresh again', async () => {
            const { status, headers } = await api.request('GET', `/load?id=${id}`);
            return status === 200 && headers['x-larder-stale'] === undefined;
          });
        }
        const done = await cluster.api.waitForJob(id, { seen: expectProgressToGrow() });
        expect(done).toMatchObject({ state: 'SUCCEEDED', loadedFiles: tree.fileCount, failedFiles: 0 });
        expectCountsToAddUp(done, { files: tree.fileCount, bytes: tree.totalBytes });
        await expectCacheEqualsSource(cluster, tree.below(tree.fileRoot));
        await cluster.api.mount('/after', `file://${cluster.directory}/after/`);
      });
    }, 120_000);
  },
);
