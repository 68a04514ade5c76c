import { clusterSuite, eventually, natsUrlFor } from '#testing';
import { NatsSieve } from '../faults/support/nats-sieve.js';

const timeoutMs = 500;

/**
 * Where NATS is split in part, one coordinator may hear a worker that another does not, and both can write. The one said
 * that the worker was gone, the other that it was back, four times a second: the log grew, and jobs lost their batches to
 * a worker that was well.
 */
clusterSuite(
  'a coordinator that does not hear a worker which another hears',
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
      'doubts its own ears more with each contradiction, and hears again when it can',
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
          // Of the clock only what cannot be otherwise: a pause is never shorter than the patience.
          expect(pausesMs[0]).toBeGreaterThanOrEqual(2 * timeoutMs);
          expect(pausesMs[1]).toBeGreaterThanOrEqual(4 * timeoutMs);

          sieve.release();
          const [{ process }] = cluster.workers;
          const before = (await events('WorkerWentOffline')).length;
          await eventually('both hear the worker', async () => {
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
