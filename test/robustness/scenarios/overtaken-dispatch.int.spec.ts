import { connect } from 'nats';
import { clusterSuite, eventually, keys } from '#testing';
import { expectExactSuccess } from '../faults/support/exact-success.js';

interface Page {
  results: { sequence: number }[];
}

/**
 * The owner of a job sends batches first and records then that it has: whoever died in between has lost nothing. When it
 * sent a batch again in other parts (to other workers, since one was lost or has come), and one of them was done before
 * that was in the log, the report counted for nothing: nobody knew such a batch yet. Then it was in flight for ever.
 */
clusterSuite(
  'a batch that is sent again in parts, and done before the log tells of them',
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
      // The workers are near and hear of what was sent before its sender hears that it is stored; then they are quick.
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
