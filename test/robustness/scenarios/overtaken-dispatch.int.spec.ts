import { connect } from 'nats';
import { eventually, startCluster, TcpProxy, type TestCluster, natsUrlFor } from '#testing';
import { keys, S3Lab } from '../../integration/s3-lab.js';
import { expectExactSuccess } from '../faults/support/exact-success.js';

interface Page {
  results: { sequence: number }[];
}

/**
 * The owner of a job sends batches first and records then that it has: whoever died in between has lost nothing. When it
 * sent a batch again in other parts (to other workers, since one was lost or has come), and one of them was done before
 * that was in the log, the report counted for nothing: nobody knew such a batch yet. Then it was in flight for ever.
 */
describe('a batch that is sent again in parts, and done before the log tells of them', () => {
  let cluster: TestCluster;
  let lab: S3Lab;
  let proxy: TcpProxy;

  beforeAll(async () => {
    lab = await S3Lab.start();
    cluster = await startCluster({ workers: 1, env: { LARDER_HEARTBEAT_MS: '200' } });
    proxy = await TcpProxy.start({ target: `127.0.0.1:${cluster.nats.port}` });
    const [{ process }] = cluster.coordinators;
    process.overrides['LARDER_NATS_URL'] = natsUrlFor('coordinator', proxy.address);
    await process.restart();
    await cluster.untilListed(cluster.workers[0]);
  }, 120_000);
  afterAll(async () => {
    await cluster?.dispose();
    await proxy?.stop();
    await lab?.stop();
  });

  test(
    'counts, and its job ends',
    () =>
      cluster.watch(async () => {
        const files = await lab.bucket(cluster, 'parts', keys(40), 100);
        const gate = lab.hold('parts', 0);
        const id = await cluster.api.load({ paths: ['/parts'] });
        await gate.reached;
        expect(await cluster.api.stopLoad(id)).toMatchObject({ status: 200 });
        await cluster.startWorker();
        gate.open();
        // The workers are near and hear of what was sent before its sender hears that it is stored; then they are quick.
        proxy.setMode({ kind: 'latency', latencyMs: 100 });
        lab.faults.set('parts', ({ operation }) => {
          if (operation === 'GetObject') proxy.setMode({ kind: 'latency', latencyMs: 60_000 });
          return undefined;
        });
        const again = cluster.api.postLoad({ paths: ['/parts'] });
        await eventually('both have done their parts', async () => (await reports(cluster.natsUrl, id)) === 2);
        lab.faults.delete('parts');
        proxy.setMode({ kind: 'pass' });
        expect(await again).toMatchObject({ status: 409, body: { id } });
        await expectExactSuccess(cluster, id, files);
        const sequenceOf = async (type: string): Promise<number> =>
          (await cluster.api.request<Page>('GET', `/events?id=${id}&type=${type}`)).body.results[0].sequence;
        expect(await sequenceOf('BatchSettled')).toBeLessThan(await sequenceOf('BatchesDispatched'));
      }),
    120_000,
  );
});

/** How many workers have reported of a job. */
async function reports(natsUrl: string, jobId: string): Promise<number> {
  const nc = await connect({ servers: natsUrl });
  try {
    const jsm = await nc.jetstreamManager();
    const { state } = await jsm.streams.info('larder-evt', { subjects_filter: `larder.evt.batch.${jobId}.*` });
    return Object.keys(state.subjects ?? {}).length;
  } finally {
    await nc.close();
  }
}
