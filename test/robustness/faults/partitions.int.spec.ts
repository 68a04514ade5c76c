import { connect } from 'nats';
import { clusterSuite, eventually, keys, type ProxyMode } from '#testing';
import { expectExactSuccess } from './support/exact-success.js';

const pass: ProxyMode = { kind: 'pass' };
/** Silent, as a broken network is; and so late that each message arrives when others have long acted. */
const partitions: [string, ProxyMode][] = [
  ['silent', { kind: 'blackhole' }],
  ['late', { kind: 'latency', latencyMs: 6000 }],
];

clusterSuite(
  'processes that are cut off from NATS',
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
      'fault 5: an owner cut off (%s) can write nothing, says how old its answers are, and changes nothing when it is back',
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
          // What settles now is what the owner would plan on.
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
          // Who has taken it over may be done with it by now.
          await eventually('another has taken the job over', async () => (await other.api.progress(id)).epoch === 2);

          const done = await expectExactSuccess(cluster, id, files, { api: other.api });
          expect(done.epoch).toBe(2);
          owner.toNats[0].setMode(pass);
          await eventually('it is back', () => owner.api.isReady());
          for (const { api } of cluster.coordinators) expect(await api.progress(id)).toEqual(done);
          const epochs = await epochsInLog(cluster.natsUrl, id);
          expect(epochs).toEqual([...epochs].sort((a, b) => a - b));
          expect(epochs.at(-1)).toBe(2);
          const reads = s3.reads(bucket);
          // 2 workers, 4 batches of 20 each planned ahead.
          expect(reads.length - new Set(reads.map(({ key }) => key)).size).toBeLessThanOrEqual(160);
        }),
      120_000,
    );

    it.each(partitions)(
      'fault 6: a worker cut off from NATS (%s) but not from the store: others do its batches, its late results change nothing',
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
          await eventually('it is OFFLINE', async () => (await status()) === 'OFFLINE');
          gate.open();

          const done = await expectExactSuccess(cluster, id, files);
          // It did not sit idle: what it held it read to the end, and others read it again.
          expect(s3.reads(bucket).length).toBeGreaterThan(files.length);
          worker.toNats[0].setMode(pass);
          await cluster.untilOnline(2);
          // It does its part of the next job, behind whatever it had to report of the last one.
          const later = await s3.bucket(cluster, `${bucket}-later`, keys(200), 100);
          const next = await cluster.api.load({ paths: [`/${bucket}-later`] });
          await expectExactSuccess(cluster, next, later);
          for (const { api } of cluster.coordinators) expect(await api.progress(id)).toEqual(done);
          expect(worker.process.running).toBe(true);
        }),
      120_000,
    );

    it(
      'fault 25: through a coordinator that hears of everything ten seconds late, nobody is told less than was acknowledged',
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
          // It either knows, or says that it may not.
          expect(seen || plain.headers['x-larder-stale'] !== undefined).toBe(true);
          // "There is none" is never an old view's answer, and whoever brings the sequence along gets that state or a 503.
          expect([200, 503]).toContain((await late.api.request('GET', '/mount?path=/lag')).status);
          const brought = await late.api.request<{ results: { path: string }[] }>('GET', '/mount', {
            headers: { 'x-larder-sequence': sequence },
          });
          if (brought.status === 200)
            expect(brought.body.results.some(({ path }) => path.startsWith('/lag'))).toBe(true);
          else expect(brought.status).toBe(503);

          late.toNats[0].setMode(pass);
          await eventually('it has caught up', async () => {
            const { status, headers } = await late.api.request('GET', '/mount?path=/lag');
            return status === 200 && headers['x-larder-stale'] === undefined;
          });
        }),
      120_000,
    );
  },
);

/** The epoch that each event of the job's own boundary carries, in the order of the log. */
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
