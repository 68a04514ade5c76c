import { Names, parseEnvelope } from '#jetstream';
import { connect, type JetStreamManager, type NatsConnection } from 'nats';
import { clusterSuite, eventually, keys, type WorkerHandle } from '#testing';
import { expectExactSuccess } from '../support/counts.js';
import { quarantineOf } from './support/answers.js';

jest.setTimeout(180_000);

/** A stranger may write anywhere in NATS, and sends messages again that coordinators have signed. */
const names = new Names();

const options = { workers: 1, env: { LARDER_HEARTBEAT_MS: '200' }, testTimeoutMs: 180_000 };

clusterSuite('a replayed stop of a running job', options, ({ cluster, s3, test }) => {
  let stranger: NatsConnection;
  let jsm: JetStreamManager;

  beforeAll(async () => {
    stranger = await connect({ servers: cluster.nats.url });
    jsm = await stranger.jetstreamManager();
  });
  afterAll(() => stranger?.close());

  /** The messages of a job's boundary, by sequence. */
  async function jobMessages(id: string): Promise<{ sequence: number; data: Uint8Array; types: string[] }[]> {
    const subject = names.eventSubject(`job.${id}`);
    const all: { sequence: number; data: Uint8Array; types: string[] }[] = [];
    for (let next = 1; ;) {
      const query = { seq: next, next_by_subj: subject };
      const found = await jsm.streams.getMessage(names.eventStream, query).catch(() => undefined);
      if (!found) return all;
      const types = parseEnvelope(found.data, found.seq).events.map(({ type }) => type);
      all.push({ sequence: found.seq, data: found.data, types });
      next = found.seq + 1;
    }
  }

  const stopOf = async (id: string) => (await jobMessages(id)).find(({ types }) => types.includes('JobStopped'))!;

  /** Sends the stop of a job again. @returns its sequence */
  async function stopAgain(id: string): Promise<number> {
    const stop = await stopOf(id);
    return (await stranger.jetstream().publish(names.eventSubject(`job.${id}`), stop.data)).seq;
  }

  /** How far a worker has read the log, by its own report. */
  async function heardUpTo({ id }: WorkerHandle, sequence: number): Promise<void> {
    for await (const message of stranger.subscribe(names.workerHeartbeat(id))) {
      const { logMark } = message.json<{ logMark?: { sequence: number } }>();
      if (logMark !== undefined && logMark.sequence >= sequence) return;
    }
  }

  /** Stops and resumes a load, and waits until the worker works on a batch of it. */
  async function resumedLoad(bucket: string) {
    const files = await s3.bucket(cluster, bucket, keys(30), 100);
    const first = s3.hold(bucket, 0);
    const id = await cluster.api.load({ paths: [`/${bucket}`] });
    await first.reached;
    expect(await cluster.api.stopLoad(id)).toMatchObject({ status: 200 });
    await heardUpTo(cluster.workers[0], (await stopOf(id)).sequence);
    const second = s3.hold(bucket, 0);
    first.open();
    expect(await cluster.api.postLoad({ paths: [`/${bucket}`] })).toMatchObject({ status: 409, body: { id } });
    await second.reached;
    return { id, files, gate: second };
  }

  test('does not stop the work of a worker that began to read the log behind the first stop', async () => {
    const [worker] = cluster.workers;
    const { id, files, gate } = await resumedLoad('following');
    await worker.process.kill9();
    const next = s3.hold('following', 0);
    gate.open();
    await worker.process.start();
    await next.reached;
    await heardUpTo(worker, await stopAgain(id));
    next.open();
    await expectExactSuccess(cluster, id, files, { timeoutMs: 60_000 });
    expect((await jobMessages(id)).flatMap(({ types }) => types)).not.toContain('ForgottenBatchesDispatched');
  });

  test('is not taken for the newest state of the job by a worker that starts', async () => {
    const [worker] = cluster.workers;
    const { id, files, gate } = await resumedLoad('starting');
    await worker.process.kill9();
    gate.open();
    s3.faults.delete('starting');
    await stopAgain(id);
    await worker.process.start();
    await expectExactSuccess(cluster, id, files, { timeoutMs: 60_000 });
    expect((await jobMessages(id)).flatMap(({ types }) => types)).not.toContain('ForgottenBatchesDispatched');
  });

  test('is reported as void', async () => {
    await eventually('both are void', async () => (await quarantineOf(cluster.api))?.count === 2);
  });
});
