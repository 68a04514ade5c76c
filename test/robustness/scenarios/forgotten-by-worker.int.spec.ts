import { connect } from 'nats';
import { clusterSuite, eventually, keys } from '#testing';
import { expectExactSuccess } from '../../cluster/support/counts.js';
import { type NatsSieve } from '../faults/support/nats-sieve.js';
import { eventsOf, sieveFirstWorker } from '../faults/support/sieved-cluster.js';

const options = { workers: 1, env: { LARDER_HEARTBEAT_MS: '200' }, testTimeoutMs: 180_000 };

/**
 * A batch that was acknowledged but not done is in no queue and on no worker. Its owner counted it as in flight, and the
 * job waited for its report without end.
 */
clusterSuite('a batch that was acknowledged and that no worker has', options, ({ cluster, s3, test }) => {
  let sieve: NatsSieve;

  beforeAll(async () => void (sieve = await sieveFirstWorker(cluster)));
  afterAll(() => sieve?.stop());

  test('is found by its owner, sent again and counted once', async () => {
    const files = await s3.bucket(cluster, 'missed', keys(30), 100);
    sieve.hold('larder.work.');
    const options = { batchSize: 10 };
    const id = await cluster.api.load({ paths: ['/missed'], options });
    // The test acknowledges the first batch for its worker, which never receives it.
    const [first] = await eventually('the batches are handed out', () => sieve.held.length === 3 && [...sieve.held]);
    await acknowledge(first.reply);
    sieve.dropFirst();
    sieve.release();

    const done = await expectExactSuccess(cluster, id, files, { timeoutMs: 90_000 });
    expect(done).toMatchObject({ state: 'SUCCEEDED' });
    const [{ data }, ...more] = await eventsOf<{ batches: { attempt: number; into: unknown[] }[] }>(
      cluster,
      id,
      'ForgottenBatchesDispatched',
    );
    expect(more).toEqual([]);
    expect(data.batches).toMatchObject([{ attempt: 2, into: [{ files: 10 }] }]);
    expect((await eventsOf(cluster, id, 'BatchSettled')).length).toBe(3);
    expect(s3.reads('missed')).toHaveLength(files.length);
  });

  async function acknowledge(reply: string): Promise<void> {
    const nc = await connect({ servers: cluster.natsUrl });
    try {
      await nc.request(reply, '+ACK', { timeout: 5_000 });
    } finally {
      await nc.close();
    }
  }
});
