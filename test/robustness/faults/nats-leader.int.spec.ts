import { clusterSuite, eventually, keys } from '#testing';
import { expectExactSuccess } from '../../cluster/support/counts.js';

/** An election, a reconnection of the clients, and a heartbeat of each consumer take about ten seconds. */
const pauseLimitMs = 15_000;
/** A client's time limit for any answer. It is longer than all our limits, so only a hanging request exceeds it. */
const answerLimitMs = 20_000;

clusterSuite(
  'three nats-servers that lose their leader',
  { natsServers: 3, coordinators: 2, env: { LARDER_BATCH_SIZE: '20', LARDER_BATCH_WINDOW: '4' } },
  ({ cluster, s3 }) => {
    it.each(['larder-evt', 'larder-work'])(
      'fault 4: after a kill of the leader of %s during a load, every POST returns 200 or 503, and none is lost',
      (stream) =>
        cluster.watch(async () => {
          const bucket = `leader-of-${stream}`;
          const files = await s3.bucket(cluster, bucket, keys(1500), 100);
          const single = await s3.bucket(cluster, `posts-${stream}`, keys(400), 10);
          const gate = s3.hold(bucket, 300);
          const id = await cluster.api.load({ paths: [`/${bucket}`] });
          await gate.reached;
          const leader = await cluster.natsCluster.leaderOf(stream);
          const before = (await cluster.api.progress(id)).loadedFiles;
          await leader.kill9();
          const killedAtMs = performance.now();
          gate.open();

          const accepted: string[] = [];
          const statuses = new Set<number>();
          let acceptedAtMs: number | undefined;
          let settledAtMs: number | undefined;
          const posts = single.entries();
          const goesOn = async () => {
            const next = posts.next();
            if (!next.done) {
              const [i, { path }] = next.value;
              const { api } = cluster.coordinators[i % 2];
              const body = { paths: [path] };
              const answer = await api.request<{ id: string }>('POST', '/load', { body, timeoutMs: answerLimitMs });
              statuses.add(answer.status);
              if (answer.status === 200) {
                accepted.push(answer.body.id);
                acceptedAtMs ??= performance.now();
              }
            }
            const progress = await cluster.api.request<{ loadedFiles: number }>('GET', `/load?id=${id}`);
            if (progress.status === 200 && progress.body.loadedFiles > before) settledAtMs ??= performance.now();
            return acceptedAtMs !== undefined && settledAtMs !== undefined;
          };
          await eventually('writes and the job continue', goesOn, { timeoutMs: 60_000, everyMs: 100 });
          expect([...statuses].filter((status) => status !== 200 && status !== 503)).toEqual([]);
          expect(acceptedAtMs! - killedAtMs).toBeLessThan(pauseLimitMs);
          expect(settledAtMs! - killedAtMs).toBeLessThan(pauseLimitMs);
          process.stderr.write(
            `leader of ${stream} killed: writes after ${Math.round(acceptedAtMs! - killedAtMs)} ms, ` +
              `the job after ${Math.round(settledAtMs! - killedAtMs)} ms\n`,
          );

          await expectExactSuccess(cluster, id, files);
          await leader.restart();
          for (const acceptedId of accepted) {
            for (const { api } of cluster.coordinators) {
              expect(await api.waitForJob(acceptedId)).toMatchObject({
                id: acceptedId,
                state: 'SUCCEEDED',
                loadedFiles: 1,
              });
            }
          }
        }),
      180_000,
    );
  },
);
