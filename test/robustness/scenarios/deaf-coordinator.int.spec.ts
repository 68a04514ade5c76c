import { clusterSuite, eventually, natsUrlFor } from '#testing';
import { NatsSieve } from '../faults/support/nats-sieve.js';

const timeoutMs = 500;

/**
 * In a partial split of NATS, one coordinator may receive the heartbeats of a worker that another does not, while both can
 * write. One recorded that the worker was OFFLINE, the other that it was ONLINE, four times a second. The log grew, and
 * jobs took batches away from a healthy worker.
 */
clusterSuite(
  'a coordinator without the heartbeats of a worker that another receives',
  {
    coordinators: 2,
    workers: 1,
    env: { LARDER_HEARTBEAT_MS: '100', LARDER_WORKER_TIMEOUT_MS: String(timeoutMs), LARDER_WORKER_GRACE_MS: '60000' },
  },
  ({ cluster }) => {
    let sieve: NatsSieve;

    beforeAll(async () => {
      sieve = await NatsSieve.start(cluster.nats.port);
      const [, { process }] = cluster.coordinators;
      process.overrides['LARDER_NATS_URL'] = natsUrlFor('coordinator', sieve.url.replace('nats://', ''));
      await process.restart();
    });

    afterAll(async () => {
      await sieve?.stop();
    });

    test(
      'waits longer after each contradiction, and notices a silent worker again once it receives heartbeats',
      () =>
        cluster.watch(async () => {
          interface Page {
            results: { type: string; at: string }[];
          }
          const events = async (type: string) =>
            (await cluster.api.request<Page>('GET', `/events?kind=membership&type=${type}`)).body.results;
          sieve.hold('larder.heartbeat.worker.');
          const offline = await eventually('three contradictions', async () => {
            const found = await events('WorkerWentOffline');
            return found.length >= 3 && found.slice(0, 3).map(({ at }) => Date.parse(at));
          });
          const pausesMs = offline.slice(1).map((at, i) => at - offline[i]);
          // The only certain statement about time: a pause is never shorter than the waiting time.
          expect(pausesMs[0]).toBeGreaterThanOrEqual(2 * timeoutMs);
          expect(pausesMs[1]).toBeGreaterThanOrEqual(4 * timeoutMs);

          sieve.release();
          const [{ process }] = cluster.workers;
          const before = (await events('WorkerWentOffline')).length;
          await eventually('both receive the worker’s heartbeats', async () => {
            const { body } = await cluster.coordinators[1].api.request<{ result: { status: string }[] }>(
              'GET',
              '/nodes',
            );
            return body.result[0].status === 'ONLINE';
          });
          process.pause();
          await eventually('its silence is noticed', async () => (await events('WorkerWentOffline')).length > before);
          process.resume();
          await cluster.untilListed(cluster.workers[0]);
        }),
      120_000,
    );
  },
);
