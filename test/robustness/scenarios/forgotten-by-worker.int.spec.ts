import { connect } from 'nats';
import { eventually, startCluster, type TestCluster } from '#testing';
import { keys, S3Lab } from '../../integration/s3-lab.js';
import { expectExactSuccess } from '../faults/support/exact-success.js';
import { NatsSieve } from '../faults/support/nats-sieve.js';

interface Page<Data> {
  results: { data: Data }[];
}

/**
 * A batch that was acknowledged and not done is in no queue and in nobody's hands. For its owner it was in flight, and
 * the job waited for its report for ever.
 */
describe('a batch that was acknowledged and that nobody has in hand', () => {
  let cluster: TestCluster;
  let lab: S3Lab;
  let sieve: NatsSieve;

  beforeAll(async () => {
    lab = await S3Lab.start();
    cluster = await startCluster({ workers: 1, env: { LARDER_HEARTBEAT_MS: '200' } });
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
    'is missed by its owner, sent again and counted once',
    () =>
      cluster.watch(async () => {
        const files = await lab.bucket(cluster, 'missed', keys(30), 100);
        sieve.hold('larder.work.');
        const options = { batchSize: 10 };
        const id = await cluster.api.load({ paths: ['/missed'], options });
        // The first is acknowledged in its worker's name, which never sees it.
        const [first] = await eventually(
          'the batches are handed out',
          () => sieve.held.length === 3 && [...sieve.held],
        );
        await acknowledge(first.reply);
        sieve.dropFirst();
        sieve.release();

        const done = await expectExactSuccess(cluster, id, files, { timeoutMs: 90_000 });
        expect(done).toMatchObject({ state: 'SUCCEEDED' });
        const [{ data }, ...more] = await eventsOf<{ batches: { attempt: number; into: unknown[] }[] }>(
          id,
          'ForgottenBatchesDispatched',
        );
        expect(more).toEqual([]);
        expect(data.batches).toMatchObject([{ attempt: 2, into: [{ files: 10 }] }]);
        expect((await eventsOf(id, 'BatchSettled')).length).toBe(3);
        expect(lab.reads('missed')).toHaveLength(files.length);
      }),
    180_000,
  );

  const eventsOf = async <Data>(id: string, type: string) =>
    (await cluster.api.request<Page<Data>>('GET', `/events?id=${id}&type=${type}`)).body.results;

  async function acknowledge(reply: string): Promise<void> {
    const nc = await connect({ servers: cluster.natsUrl });
    try {
      await nc.request(reply, '+ACK', { timeout: 5_000 });
    } finally {
      await nc.close();
    }
  }
});
