import { connect } from 'nats';
import { clusterSuite, eventually, keys, type ProxyMode } from '#testing';
import { expectExactSuccess } from '../../cluster/support/counts.js';

const passing: ProxyMode = { kind: 'pass' };

/**
 * A batch keeps its id on every worker. A worker settled one too late: the batch had been moved to another worker. That
 * worker died, and the batch came back. The first worker took it for done and reported nothing. Its first report did not
 * count, no second one came, and the job never ended.
 */
clusterSuite(
  'a batch that comes back to a worker that has settled it too late',
  {
    workers: 1,
    proxies: true,
    env: { LARDER_HEARTBEAT_MS: '200', LARDER_WORKER_TIMEOUT_MS: '2000', LARDER_WORKER_GRACE_MS: '500' },
  },
  ({ cluster, s3, test }) => {
    const toNats = () => cluster.workers[0].toNats[0];
    test('is done again, and its job ends', async () => {
      const files = await s3.bucket(cluster, 'back', keys(10), 100);
      const [first, second] = [held(), held()];
      // The first worker's reads wait for the first gate, the second worker's for the second, which never opens.
      s3.faults.set('back', ({ operation, key }) => {
        if (operation !== 'GetObject') return undefined;
        const reads = s3.reads('back').filter((read) => read.key === key).length;
        if (reads > 2) return undefined;
        return { kind: 'pause', afterBytes: 0, until: (reads === 1 ? first : second).opened };
      });
      const readBy = (workers: number) => s3.reads('back').length === files.length * workers;
      const id = await cluster.api.load({ paths: ['/back'] });
      const [worker] = cluster.workers;
      await eventually('the worker reads all files', () => readBy(1));
      const other = await cluster.startWorker();

      toNats().setMode({ kind: 'blackhole' });
      await eventually('the batch is moved, and the other worker reads all files', () => readBy(2));
      first.open();
      toNats().setMode(passing);
      const late = await eventually('its report is in the log', () => reportOf(cluster.natsUrl, id, worker.id));
      expect(late).toMatchObject({ attempt: 1 });
      await cluster.untilListed(worker);
      expect(await cluster.api.progress(id)).toMatchObject({ state: 'RUNNING', loadedFiles: 0 });
      await other.process.kill9();

      await expectExactSuccess(cluster, id, files, { timeoutMs: 30_000 });
      const again = await reportOf(cluster.natsUrl, id, worker.id);
      expect(again).toMatchObject({ batchId: late.batchId, attempt: 3 });
      second.open();
    }, 120_000);
  },
);

function held() {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open: () => open() };
}

/** The last report of a worker about a job. */
async function reportOf(natsUrl: string, jobId: string, workerId: string) {
  const nc = await connect({ servers: natsUrl });
  try {
    const jsm = await nc.jetstreamManager();
    const subject = `larder.evt.batch.${jobId}.${workerId}`;
    const message = await jsm.streams.getMessage('larder-evt', { last_by_subj: subject }).catch(() => undefined);
    return message?.json<{ events: { data: { batchId: string; attempt: number } }[] }>().events[0].data;
  } finally {
    await nc.close();
  }
}
