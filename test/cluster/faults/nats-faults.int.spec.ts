import { availableNatsVersions, clusterSuite, eventually, keys } from '#testing';
import { expectExactSuccess } from '../support/counts.js';

for (const natsVersion of availableNatsVersions()) {
  clusterSuite(
    `a load whose nats-server ${natsVersion} is killed`,
    { natsVersion, env: { LARDER_BATCH_SIZE: '20', LARDER_BATCH_WINDOW: '4' } },
    ({ cluster, s3, test }) => {
      test('fault 3: answers are stale or 503 and never hang until nats-server is back, then the counts are exact', async () => {
        const files = await s3.bucket(cluster, 'unlogged', keys(2500), 100);
        const gate = s3.hold('unlogged', 500);
        const id = await cluster.api.load({ paths: ['/unlogged'] });
        await gate.reached;
        await cluster.nats.kill9();
        gate.open();
        const stale = await eventually('answers are marked as stale', async () => {
          const answer = await cluster.api.request('GET', `/load?id=${id}`);
          return answer.headers['x-larder-stale'] === undefined ? undefined : answer;
        });
        expect(stale).toMatchObject({ status: 200, body: { id, state: 'RUNNING' } });
        for (const path of ['/mount', '/nodes', '/load']) {
          const { status, headers } = await cluster.api.request('GET', path);
          expect({ path, status, stale: headers['x-larder-stale'] }).toMatchObject({
            path,
            status: 200,
            stale: expect.stringMatching(/^\d+$/) as string,
          });
        }
        const unknown = '00000000-0000-4000-8000-000000000000';
        const answers = await Promise.all([
          cluster.api.request('GET', `/load?id=${unknown}`),
          cluster.api.request('GET', '/nodes?id=worker-unknown'),
          cluster.api.request('GET', '/mount?path=/unknown'),
          cluster.api.request('GET', '/load/' + unknown + '/failed_files'),
          cluster.api.postLoad({ paths: ['/unlogged/f'] }),
          cluster.api.stopLoad(id),
          cluster.api.stopLoad(unknown),
          cluster.api.request('POST', '/mount', { body: { path: '/x', ufs: 's3://some-bucket/' } }),
          cluster.api.request('DELETE', '/mount', { body: { path: '/unlogged' } }),
          cluster.api.request('DELETE', `/nodes?id=${cluster.workers[0].id}`),
        ]);
        expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 503));
        for (const { body } of answers) expect(typeof body.status).toBe('string');

        await cluster.nats.restart();
        const done = await cluster.api.waitForJob(id);
        // One refused request may have been carried out. None of them is carried out later.
        expect(done).toMatchObject({ state: 'SUCCEEDED' });
        await expectExactSuccess(cluster, id, files);
        expect((await cluster.api.request('GET', `/load?id=${unknown}`)).status).toBe(404);
        const { headers } = await cluster.api.request('GET', '/nodes');
        expect(headers['x-larder-stale']).toBeUndefined();
        await cluster.untilOnline(2);
        expect((await cluster.api.request('GET', '/mount?path=/unlogged')).status).toBe(200);
      });

      test('fault 3: the load continues after all processes are killed at once and restarted', async () => {
        const files = await s3.bucket(cluster, 'blackout', keys(1500), 100);
        const gate = s3.hold('blackout', 400);
        const id = await cluster.api.load({ paths: ['/blackout'] });
        await gate.reached;
        await Promise.all([cluster.nats.kill9(), ...cluster.processes.map((process) => process.kill9())]);
        gate.open();
        await cluster.nats.restart();
        await Promise.all(cluster.processes.map((process) => process.start()));
        await expectExactSuccess(cluster, id, files);
      });
    },
  );
}
