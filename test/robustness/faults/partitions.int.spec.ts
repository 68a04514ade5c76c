import { connect } from 'nats';
import { clusterSuite, eventually, keys, type ProxyMode } from '#testing';
import { expectExactSuccess } from '../../cluster/support/counts.js';

const pass: ProxyMode = { kind: 'pass' };
/** Silence, as in a broken network, and a delay after which all other processes have already acted. */
const partitions: [string, ProxyMode][] = [
  ['silent', { kind: 'blackhole' }],
  ['late', { kind: 'latency', latencyMs: 6000 }],
];

clusterSuite(
  'processes without a connection to NATS',
  {
    coordinators: 2,
    proxies: true,
    env: {
      LARDER_BATCH_SIZE: '20',
      LARDER_BATCH_WINDOW: '4',
      LARDER_HEARTBEAT_MS: '200',
      LARDER_WORKER_TIMEOUT_MS: '2000',
      LARDER_WORKER_GRACE_MS: '1000',
    },
  },
  ({ cluster, s3 }) => {
    afterEach(() => cluster.passAll());

    it.each(partitions)(
      'fault 5: an owner that is cut off (%s) writes nothing, shows the age of its answers, and changes nothing when it is back',
      (how, mode) =>
        cluster.watch(async () => {
          const bucket = `cut-off-${how}`;
          const files = await s3.bucket(cluster, bucket, keys(2000), 100);
          const gate = s3.hold(bucket, 400);
          const id = await cluster.api.load({ paths: [`/${bucket}`] });
          await gate.reached;
          const owner = await cluster.ownerOf(id);
          const other = cluster.coordinators.find((one) => one !== owner)!;
          owner.toNats[0].setMode(mode);
          // The owner would continue planning with the batches that settle now.
          gate.open();

          const read = await eventually('the owner knows that it is cut off', async () => {
            const answer = await owner.api.request('GET', `/load?id=${id}`);
            return answer.headers['x-larder-stale'] !== undefined && answer;
          });
          expect(read).toMatchObject({
            status: 200,
            headers: { 'x-larder-stale': expect.stringMatching(/^\d+$/) as string },
          });
          expect(await owner.api.isReady()).toBe(false);
          const refused = await Promise.all([
            owner.api.postLoad({ paths: [`s3://${bucket}/f/00000`] }),
            owner.api.request('POST', '/mount', { body: { path: `/never-${how}`, ufs: 's3://never/' } }),
            owner.api.stopLoad(id),
            owner.api.request('GET', '/load?id=00000000-0000-4000-8000-000000000000'),
          ]);
          expect(refused.map(({ status }) => status)).toEqual([503, 503, 503, 503]);
          // The new owner may have finished the job by now.
          await eventually(
            'another coordinator has taken the job over',
            async () => (await other.api.progress(id)).epoch === 2,
          );

          const done = await expectExactSuccess(cluster, id, files, { api: other.api });
          expect(done.epoch).toBe(2);
          owner.toNats[0].setMode(pass);
          await eventually('the owner is ready again', () => owner.api.isReady());
          for (const { api } of cluster.coordinators) expect(await api.progress(id)).toEqual(done);
          const epochs = await epochsInLog(cluster.natsUrl, id);
          expect(epochs).toEqual([...epochs].sort((a, b) => a - b));
          expect(epochs.at(-1)).toBe(2);
          const reads = s3.reads(bucket);
          // Each of 2 workers has 4 batches of 20 files planned ahead.
          expect(reads.length - new Set(reads.map(({ key }) => key)).size).toBeLessThanOrEqual(160);
        }),
      120_000,
    );

    it.each(partitions)(
      'fault 6: other workers do the batches of a worker that is cut off from NATS (%s), and its late reports change nothing',
      (how, mode) =>
        cluster.watch(async () => {
          const bucket = `cut-worker-${how}`;
          const files = await s3.bucket(cluster, bucket, keys(400), 100);
          const gate = s3.hold(bucket, 100);
          const id = await cluster.api.load({ paths: [`/${bucket}`] });
          await gate.reached;
          const [worker] = cluster.workers;
          worker.toNats[0].setMode(mode);
          const status = async () => (await cluster.api.nodes()).find(({ identity }) => identity === worker.id)?.status;
          await eventually('the worker is OFFLINE', async () => (await status()) === 'OFFLINE');
          gate.open();

          const done = await expectExactSuccess(cluster, id, files);
          // The worker read the files of its batches to the end, and other workers read them again.
          expect(s3.reads(bucket).length).toBeGreaterThan(files.length);
          worker.toNats[0].setMode(pass);
          await cluster.untilOnline(2);
          // It does its part of the next job after its reports of the last one.
          const later = await s3.bucket(cluster, `${bucket}-later`, keys(200), 100);
          const next = await cluster.api.load({ paths: [`/${bucket}-later`] });
          await expectExactSuccess(cluster, next, later);
          for (const { api } of cluster.coordinators) expect(await api.progress(id)).toEqual(done);
          expect(worker.process.running).toBe(true);
        }),
      120_000,
    );

    it(
      'fault 25: a coordinator that reads the log ten seconds late answers with all acknowledged writes, as stale, or with 503',
      () =>
        cluster.watch(async () => {
          const [prompt, late] = cluster.coordinators;
          late.toNats[0].setMode({ kind: 'latency', latencyMs: 10_000 });
          s3.server.createBucket('lag');
          const posted = await prompt.api.request('POST', '/mount', {
            body: { path: '/lag', ufs: 's3://lag/', options: s3.mountOptions },
          });
          expect(posted.status).toBe(200);
          const sequence = String(posted.headers['x-larder-sequence']);
          const plain = await late.api.request<{ results: { path: string }[] }>('GET', '/mount');
          const seen = plain.body.results.some(({ path }) => path.startsWith('/lag'));
          // The answer contains the mount or is marked as stale.
          expect(seen || plain.headers['x-larder-stale'] !== undefined).toBe(true);
          // An old view never answers "not found". A request with the sequence gets that state or 503.
          expect([200, 503]).toContain((await late.api.request('GET', '/mount?path=/lag')).status);
          const brought = await late.api.request<{ results: { path: string }[] }>('GET', '/mount', {
            headers: { 'x-larder-sequence': sequence },
          });
          if (brought.status === 200)
            expect(brought.body.results.some(({ path }) => path.startsWith('/lag'))).toBe(true);
          else expect(brought.status).toBe(503);

          late.toNats[0].setMode(pass);
          await eventually('the coordinator has caught up', async () => {
            const { status, headers } = await late.api.request('GET', '/mount?path=/lag');
            return status === 200 && headers['x-larder-stale'] === undefined;
          });
        }),
      120_000,
    );
  },
);

/** The epoch of each event on the job's boundary, in the order of the log. */
async function epochsInLog(natsUrl: string, jobId: string): Promise<number[]> {
  const nc = await connect({ servers: natsUrl });
  try {
    const consumer = await nc.jetstream().consumers.get('larder-evt', { filterSubjects: `larder.evt.job.${jobId}` });
    const epochs: number[] = [];
    for await (const message of await consumer.fetch({ max_messages: 10_000, expires: 1000 })) {
      const { events } = message.json<{ events: { data: { epoch: number } }[] }>();
      epochs.push(...events.map(({ data }) => data.epoch));
    }
    return epochs;
  } finally {
    await nc.close();
  }
}
