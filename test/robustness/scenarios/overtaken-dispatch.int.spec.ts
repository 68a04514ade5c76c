import { connect } from 'nats';
import { clusterSuite, eventually, keys } from '#testing';
import { expectExactSuccess } from '../../cluster/support/counts.js';

interface Page {
  results: { sequence: number }[];
}

/**
 * The owner of a job first sends batches and then records that, so that its death in between loses nothing. It once sent
 * a batch again in parts, because a worker was lost or had joined. One part was done before the log had the record. Its
 * report did not count, because the batch was still unknown, and the part stayed in flight without end.
 */
clusterSuite(
  'a batch that is sent again in parts and done before the log records them',
  { workers: 1, proxies: true, env: { LARDER_HEARTBEAT_MS: '200' } },
  ({ cluster, s3, test }) => {
    const toNats = () => cluster.coordinators[0].toNats[0];
    test('counts, and its job ends', async () => {
      const files = await s3.bucket(cluster, 'parts', keys(40), 100);
      const gate = s3.hold('parts', 0);
      const id = await cluster.api.load({ paths: ['/parts'] });
      await gate.reached;
      expect(await cluster.api.stopLoad(id)).toMatchObject({ status: 200 });
      await cluster.startWorker();
      gate.open();
      // The workers receive a batch before its sender receives the acknowledgement, and they are fast.
      toNats().setMode({ kind: 'latency', latencyMs: 100 });
      s3.faults.set('parts', ({ operation }) => {
        if (operation === 'GetObject') toNats().setMode({ kind: 'latency', latencyMs: 60_000 });
        return undefined;
      });
      const again = cluster.api.postLoad({ paths: ['/parts'] });
      await eventually('both have done their parts', async () => (await reports(cluster.natsUrl, id)) === 2);
      s3.faults.delete('parts');
      toNats().setMode({ kind: 'pass' });
      expect(await again).toMatchObject({ status: 409, body: { id } });
      await expectExactSuccess(cluster, id, files);
      const sequenceOf = async (type: string): Promise<number> =>
        (await cluster.api.request<Page>('GET', `/events?id=${id}&type=${type}`)).body.results[0].sequence;
      expect(await sequenceOf('BatchSettled')).toBeLessThan(await sequenceOf('BatchesDispatched'));
    }, 120_000);
  },
);

/** Number of workers that have reported about a job. */
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
