import { clusterSuite, eventually, keys } from '#testing';
import { expectExactSuccess } from '../support/counts.js';

clusterSuite(
  'a load with two coordinators',
  { coordinators: 2, env: { LARDER_BATCH_SIZE: '20', LARDER_BATCH_WINDOW: '4' } },
  ({ cluster, s3, test }) => {
    test('fault 1: the other coordinator completes the job under the same id after the owner is killed', async () => {
      const files = await s3.bucket(cluster, 'taken-over', keys(2500), 100);
      const gate = s3.hold('taken-over', 500);
      const id = await cluster.api.load({ paths: ['/taken-over'] });
      await gate.reached;
      const owner = await cluster.ownerOf(id);
      const other = cluster.coordinators.find((one) => one !== owner)!;
      await owner.process.kill9();
      gate.open();
      const done = await expectExactSuccess(cluster, id, files, { api: other.api });
      expect(done.epoch).toBe(2);
      // Files of settled batches are not read again.
      expect(s3.reads('taken-over').length).toBeLessThan(2500 + 500);
      await owner.process.start();
      expect(await owner.api.progress(id)).toEqual(done);
    });

    test('a frozen owner writes nothing more when it wakes up after another has taken the job over', async () => {
      const files = await s3.bucket(cluster, 'frozen-owner', keys(2000), 100);
      const gate = s3.hold('frozen-owner', 400);
      const id = await cluster.api.load({ paths: ['/frozen-owner'] });
      await gate.reached;
      const owner = await cluster.ownerOf(id);
      const other = cluster.coordinators.find((one) => one !== owner)!;
      owner.process.pause();
      await eventually(
        'the other coordinator owns the job',
        async () => (await other.api.progress(id)).owner === other.id,
      );
      owner.process.resume();
      gate.open();
      for (const { api } of cluster.coordinators) await expectExactSuccess(cluster, id, files, { api });
      expect((await cluster.api.progress(id)).epoch).toBe(2);
      // The stretch that it was planning may be handed out twice, but it is done only once.
      expect(s3.reads('frozen-owner').length).toBeLessThan(2000 + 200);
    });

    test('fault 21: exactly one of several conflicting mounts through two coordinators at once returns 200', async () => {
      for (let round = 0; round < 10; round++) {
        const paths = [`/conflict${round}`, `/conflict${round}/below`];
        const answers = await Promise.all(
          cluster.coordinators.map(({ api }, i) =>
            api.request('POST', '/mount', { body: { path: paths[i], ufs: `s3://conflict-${round}-${i}/` } }),
          ),
        );
        expect(answers.map(({ status }) => status).sort()).toEqual([200, 409]);
        for (const { api } of cluster.coordinators) {
          const { body } = await api.request<{ results: { path: string }[] }>('GET', '/mount', {
            headers: { 'x-larder-sequence': String(answers[0].headers['x-larder-sequence']) },
          });
          expect(body.results.filter(({ path }) => path.startsWith(`/conflict${round}/`))).toHaveLength(1);
        }
      }
    });

    test('fault 22: of 100 identical POSTs through two coordinators one returns 200, the rest 409 with the same id', async () => {
      const files = await s3.bucket(cluster, 'identical', keys(100), 100);
      const gate = s3.hold('identical', 0);
      const answers = await Promise.all(
        Array.from({ length: 100 }, (_, i) => cluster.coordinators[i % 2].api.postLoad({ paths: ['/identical'] })),
      );
      const statuses = answers.map(({ status }) => status);
      expect(statuses.filter((status) => status === 200)).toHaveLength(1);
      expect(statuses.filter((status) => status === 409)).toHaveLength(99);
      const ids = new Set(answers.map(({ body }) => body.id));
      expect(ids.size).toBe(1);
      gate.open();
      await expectExactSuccess(cluster, [...ids][0]!, files);
    });
  },
);
