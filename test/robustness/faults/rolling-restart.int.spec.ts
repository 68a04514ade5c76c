import { clusterSuite, eventually, keys } from '#testing';
import { Balancer } from './support/balancer.js';
import { expectExactSuccess } from '../../cluster/support/counts.js';

const drainLimitMs = 10_000;
const clients = 8;

clusterSuite(
  'coordinators that are restarted one after another',
  { coordinators: 3, env: { LARDER_BATCH_SIZE: '20', LARDER_BATCH_WINDOW: '4', LARDER_DRAIN_MS: '2000' } },
  ({ cluster, s3 }) => {
    it(
      'fault 25: a coordinator with SIGTERM under load ends within ten seconds, no request fails, and no acknowledged write is lost',
      () =>
        cluster.watch(async () => {
          const files = await s3.bucket(cluster, 'rolling', keys(3000), 100);
          const small = await s3.bucket(cluster, 'small', keys(2000), 10);
          s3.faults.set('rolling', ({ operation }) =>
            operation === 'GetObject'
              ? { kind: 'pause', afterBytes: 0, until: new Promise((go) => setTimeout(go, 150)) }
              : undefined,
          );
          const id = await cluster.api.load({ paths: ['/rolling'] });
          const balancer = new Balancer(cluster);
          const accepted: string[] = [];
          let goesOn = true;
          const left = small.values();
          const client = async () => {
            while (goesOn) {
              const next = left.next();
              if (next.done) throw new Error('there were too few objects to load one by one');
              const posted = await balancer.send('POST', '/load', { paths: [next.value.path] });
              const jobId = posted.body?.id as string | undefined;
              if (posted.status !== 200 || jobId === undefined) continue;
              accepted.push(jobId);
              // The coordinator of the next request knows the job: clients read their writes through any of them.
              const { body } = await balancer.send('GET', `/load?id=${jobId}`);
              expect(body?.id).toBe(jobId);
              await balancer.send('GET', '/mount');
              await new Promise((again) => setTimeout(again, 30));
            }
          };
          const traffic = Promise.all(Array.from({ length: clients }, client));

          for (const { process, api } of cluster.coordinators) {
            await eventually('every coordinator is ready', () => api.isReady());
            const stoppedAtMs = performance.now();
            const { code } = await process.stop();
            expect(code).toBe(0);
            expect(performance.now() - stoppedAtMs).toBeLessThan(drainLimitMs);
            await process.start();
          }
          goesOn = false;
          await traffic;
          await balancer.stop();

          const failed = balancer.answers.filter(({ status }) => status !== 200);
          expect(failed).toEqual([]);
          expect(balancer.answers.length).toBeGreaterThan(300);
          await expectExactSuccess(cluster, id, files);
          for (const jobId of accepted) {
            expect(await cluster.api.waitForJob(jobId)).toMatchObject({
              id: jobId,
              state: 'SUCCEEDED',
              loadedFiles: 1,
            });
          }
        }),
      120_000,
    );

    it(
      'fault 25: a coordinator that is told to stop answers submissions that wait for their jobs',
      () =>
        cluster.watch(async () => {
          await s3.bucket(cluster, 'waiting', keys(100), 100);
          const gate = s3.hold('waiting', 10);
          const { api, process } = cluster.coordinators[0];
          const waiting = api.request<{ id: string; state: string }>('POST', '/load', {
            body: { paths: ['/waiting'], options: { sync: true } },
          });
          await gate.reached;
          const stopped = process.stop();
          await eventually('readyz tells balancers', async () => !(await api.isReady()));
          // New requests are served until the balancers have noticed.
          expect((await api.request('GET', '/mount?path=/waiting')).status).toBe(200);
          const answer = await waiting;
          expect(answer).toMatchObject({ status: 200, body: { state: 'RUNNING' } });
          expect((await stopped).code).toBe(0);
          gate.open();
          const rest = cluster.coordinators[1].api;
          expect(await rest.waitForJob(answer.body.id)).toMatchObject({ state: 'SUCCEEDED', loadedFiles: 100 });
          await process.start();
        }),
      60_000,
    );
  },
);
