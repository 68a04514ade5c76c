import { connect } from 'nats';
import { clusterSuite, eventually, keys, type WorkerHandle } from '#testing';
import { expectExactSuccess } from '../../cluster/support/counts.js';
import { type NatsSieve } from '../faults/support/nats-sieve.js';
import { eventsOf, sieveFirstWorker } from '../faults/support/sieved-cluster.js';

const options = {
  workers: 2,
  env: { LARDER_HEARTBEAT_MS: '200', LARDER_WORKER_TIMEOUT_MS: '3000', LARDER_WORKER_GRACE_MS: '500' },
  testTimeoutMs: 120_000,
};

/**
 * A worker receives batches through its queue and the state of jobs through the log. Either may be late. A worker read
 * the stop of a job only when it already worked for the resumed job. It broke that work off and acknowledged the batch as
 * one of a stopped job. The owner counted the batch as in flight without end.
 */
clusterSuite('a worker that reads a stop while it works for the resumed job', options, (suite) => {
  const { cluster, s3, test } = suite;
  let sieve: NatsSieve;

  beforeAll(async () => void (sieve = await sieveFirstWorker(cluster)));
  afterAll(() => sieve?.stop());

  test('continues its work, and the job ends', async () => {
    const files = await s3.bucket(cluster, 'late', keys(60), 100);
    const [late, other] = cluster.workers;
    other.process.pause();
    const id = await cluster.api.load({ paths: ['/late'] });
    const done = await eventually('the first worker has done its part', async () => {
      const { loadedFiles } = await cluster.api.progress(id);
      return loadedFiles > 0 && loadedFiles;
    });
    expect(done).toBeLessThan(files.length);

    sieve.hold(`larder.evt.job.${id}`);
    expect(await cluster.api.stopLoad(id)).toMatchObject({ status: 200 });
    const stop = (await eventsOf(cluster, id, 'JobStopped'))[0].sequence;
    await other.process.kill9();
    const gate = s3.hold('late', 0);
    expect(await cluster.api.postLoad({ paths: ['/late'] })).toMatchObject({ status: 409, body: { id } });
    await gate.reached;
    sieve.release();
    await heardUpTo(late, stop);
    gate.open();

    await expectExactSuccess(cluster, id, files, { timeoutMs: 60_000 });
    // The owner did not have to send a lost batch again.
    expect(await eventsOf(cluster, id, 'ForgottenBatchesDispatched')).toEqual([]);
  });

  /** How far a worker has read the log, by its own report. */
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
