import { connect } from 'nats';
import { eventually, startCluster, type TestCluster, type WorkerHandle } from '#testing';
import { keys, S3Lab } from '../../integration/s3-lab.js';
import { expectExactSuccess } from '../faults/support/exact-success.js';
import { NatsSieve } from '../faults/support/nats-sieve.js';

interface Page {
  results: { sequence: number }[];
}

/**
 * A worker hears of batches by its queue and of their jobs by the log, and either may be late. One that read that a job
 * had been stopped only when it was at work for the resumed job broke that work off, and acknowledged it as one of a
 * stopped job. Its owner took it for in flight, for ever.
 */
describe('a worker that hears of a stop when it is at work for the resumed job', () => {
  let cluster: TestCluster;
  let lab: S3Lab;
  let sieve: NatsSieve;

  beforeAll(async () => {
    lab = await S3Lab.start();
    cluster = await startCluster({
      workers: 2,
      env: { LARDER_HEARTBEAT_MS: '200', LARDER_WORKER_TIMEOUT_MS: '3000', LARDER_WORKER_GRACE_MS: '500' },
    });
    sieve = await NatsSieve.start(cluster.nats.port);
    const [{ process }] = cluster.workers;
    process.overrides['LARDER_NATS_URL'] = sieve.url;
    await process.restart();
    await cluster.untilListed(cluster.workers[0]);
  }, 120_000);
  afterAll(async () => {
    await cluster?.dispose();
    await sieve?.stop();
    await lab?.stop();
  });

  test(
    'goes on, and the job ends',
    () =>
      cluster.watch(async () => {
        const files = await lab.bucket(cluster, 'late', keys(60), 100);
        const [late, other] = cluster.workers;
        other.process.pause();
        const id = await cluster.api.load({ paths: ['/late'] });
        const done = await eventually('the one has done its part', async () => {
          const { loadedFiles } = await cluster.api.progress(id);
          return loadedFiles > 0 && loadedFiles;
        });
        expect(done).toBeLessThan(files.length);

        sieve.hold(`larder.evt.job.${id}`);
        expect(await cluster.api.stopLoad(id)).toMatchObject({ status: 200 });
        const stop = (await eventsOf(id, 'JobStopped'))[0].sequence;
        await other.process.kill9();
        const gate = lab.hold('late', 0);
        expect(await cluster.api.postLoad({ paths: ['/late'] })).toMatchObject({ status: 409, body: { id } });
        await gate.reached;
        sieve.release();
        await heardUpTo(late, stop);
        gate.open();

        await expectExactSuccess(cluster, id, files, { timeoutMs: 60_000 });
        // Nobody had to notice that anything was forgotten.
        expect(await eventsOf(id, 'ForgottenBatchesDispatched')).toEqual([]);
      }),
    120_000,
  );

  const eventsOf = async (id: string, type: string) =>
    (await cluster.api.request<Page>('GET', `/events?id=${id}&type=${type}`)).body.results;

  /** The worker itself says how far it has read the log. */
  async function heardUpTo(worker: WorkerHandle, sequence: number): Promise<void> {
    const nc = await connect({ servers: cluster.natsUrl });
    try {
      for await (const message of nc.subscribe(`larder.heartbeat.worker.${worker.id}`)) {
        const { logMark } = message.json<{ logMark?: { sequence: number } }>();
        if (logMark !== undefined && logMark.sequence >= sequence) return;
      }
    } finally {
      await nc.close();
    }
  }
});
