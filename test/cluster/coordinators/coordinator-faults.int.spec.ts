import { clusterSuite, eventually, keys } from '#testing';
import { expectExactSuccess } from '../support/counts.js';

clusterSuite(
  'a load whose coordinator is killed',
  { coordinators: 1, env: { LARDER_BATCH_SIZE: '20', LARDER_BATCH_WINDOW: '4' } },
  ({ cluster, s3, test }) => {
    test('fault 1: the restarted coordinator completes the same job with exact counts', async () => {
      const files = await s3.bucket(cluster, 'restarted', keys(2500), 100);
      const gate = s3.hold('restarted', 500);
      const id = await cluster.api.load({ paths: ['/restarted'] });
      const { id: owner } = await cluster.ownerOf(id);
      await gate.reached;
      await cluster.coordinators[0].process.kill9();
      gate.open();
      await cluster.coordinators[0].process.start();
      expect((await cluster.api.postLoad({ paths: ['/restarted'] })).body.id).toBe(id);
      const done = await expectExactSuccess(cluster, id, files);
      expect(cluster.coordinators[0].id).not.toBe(owner);
      expect(done.epoch).toBeGreaterThan(1);
      // No file is read again, except those that were in flight.
      expect(s3.reads('restarted').length).toBeLessThan(2500 + 500);
    });

    test('fault 1: the job completes after repeated kills at any point', async () => {
      const files = await s3.bucket(cluster, 'often', keys(3000), 100);
      s3.faults.set('often', ({ operation }) =>
        operation === 'GetObject'
          ? { kind: 'pause', afterBytes: 0, until: new Promise((go) => setTimeout(go, 20)) }
          : undefined,
      );
      const id = await cluster.api.load({ paths: ['/often'] });
      for (const share of [0.05, 0.3, 0.6]) {
        await eventually('the job has progressed', () => s3.reads('often').length > share * files.length);
        await cluster.coordinators[0].process.restart();
      }
      await expectExactSuccess(cluster, id, files);
    });
  },
);
