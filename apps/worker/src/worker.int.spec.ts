import { randomBytes } from 'node:crypto';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { until } from '#async';
import { S3TestServer, startTestNats, type Fault, type TestNats } from '#testing';
import { openUfs } from '#ufs';
import { TestCluster, type TestWorker } from './spec-support/worker-cluster.js';

jest.setTimeout(60_000);

const root = 's3://bucket/';
const canary = 'canary-secret-0123456789';

describe('the worker process', () => {
  let nats: TestNats;
  let cluster: TestCluster;
  let s3: S3TestServer;
  let s3Options: Record<string, string>;

  beforeAll(async () => void (nats = await startTestNats()));
  afterAll(() => nats.stop());
  beforeEach(async () => {
    s3 = new S3TestServer({ credentials: { accessKeyId: 'larder', secretAccessKey: canary } });
    const { endpoint } = await s3.start();
    s3.createBucket('bucket');
    s3Options = {
      's3a.accessKeyId': 'larder',
      's3a.secretKey': canary,
      'alluxio.underfs.s3.endpoint': endpoint,
      'alluxio.underfs.s3.disable.dns.buckets': 'true',
    };
    cluster = await TestCluster.open(nats.url);
    await cluster.ensureStreams();
    await cluster.mount(root, s3Options);
  });
  afterEach(async () => {
    await cluster.close();
    await s3.stop();
  });

  async function ready(changes?: Record<string, string>): Promise<{ worker: TestWorker; address: string }> {
    const worker = cluster.startWorker(changes);
    return { worker, address: await worker.ready() };
  }

  const get = (address: string, ufsPath: string) =>
    fetch(`http://${address}/v1/objects?path=${encodeURIComponent(ufsPath)}`);
  const gets = (key: string) => s3.requests.filter((one) => one.method === 'GET' && one.key === key).length;
  const journal = () => readdir(path.join(cluster.directory, 'cache', 'running'));
  /** Reads of this object send some bytes and then no more. */
  function hold(key: string): { asked: () => number } {
    let asked = 0;
    s3.fault = (request): Fault | undefined => {
      if (request.operation !== 'GetObject' || request.key !== key) return undefined;
      asked++;
      return { kind: 'pause', afterBytes: 1000 };
    };
    return { asked: () => asked };
  }

  it('loads a batch, reports it, serves it, and shows itself in heartbeats', async () => {
    const heard = cluster.hearHeartbeats();
    const { worker, address } = await ready();
    const large = randomBytes(2 ** 20);
    await s3.put('bucket', 'dir/a', 'aaaa');
    await s3.put('bucket', 'dir/large', large);
    await cluster.send({
      root: `${root}dir/`,
      files: [
        ['a', -1, ''],
        ['large', -1, ''],
        ['none', -1, ''],
      ],
    });
    const [fact] = await cluster.untilSettled(1);
    const workerId = await cluster.workerId();
    expect(fact).toMatchObject({ jobId: 'job-1', batchId: 'batch-1', workerId, epoch: 1, attempt: 1 });
    expect(fact.counts).toMatchObject({ loadedFiles: 2, loadedBytes: 4 + 2 ** 20, failedFiles: 1 });
    expect(fact.failures).toMatchObject([{ path: `${root}dir/none` }]);
    await cluster.untilAcked();
    expect(await (await get(address, `${root}dir/a`)).text()).toBe('aaaa');
    expect(Buffer.from(await (await get(address, `${root}dir/large`)).arrayBuffer()).equals(large)).toBe(true);
    expect(await until(() => heard.find(({ objects }) => objects === 2))).toMatchObject({
      workerId,
      address,
      capacityBytes: 64 * 2 ** 20,
      version: expect.stringMatching(/^\d+\.\d+\.\d+$/) as string,
    });
    expect(await journal()).toEqual([]);
    expect(await worker.kill('SIGTERM')).toBe(0);
    expect(await until(() => heard.find(({ leaving }) => leaving))).toMatchObject({ workerId });
    // fault 23
    expect(worker.written).not.toContain(canary);
    expect(worker.written).not.toContain(cluster.secretKey.key.toString('base64'));
  });

  it('keeps its identity and its cache over a restart, and has a new boot id', async () => {
    const heard = cluster.hearHeartbeats();
    const first = await ready();
    await s3.put('bucket', 'a', 'aaaa');
    await cluster.send({ root, files: [['a', -1, '']] });
    await cluster.untilSettled(1);
    await first.worker.kill('SIGTERM');
    const second = await ready();
    expect(await (await get(second.address, `${root}a`)).text()).toBe('aaaa');
    const boots = await until(() => {
      const ids = new Set(heard.map(({ workerId, bootId }) => `${workerId} ${bootId}`));
      return ids.size === 2 ? [...ids] : undefined;
    });
    expect(boots[0].split(' ')[0]).toBe(boots[1].split(' ')[0]);
  });

  it('fault 13: ten deliveries of one batch are one report, and all are acked', async () => {
    await ready();
    await s3.put('bucket', 'a', 'aaaa');
    for (let attempt = 1; attempt <= 10; attempt++) {
      await cluster.send({ root, files: [['a', -1, '']], attempt });
    }
    await cluster.untilAcked();
    const facts = await cluster.settled();
    expect(new Set(facts.map(({ attempt }) => attempt)).size).toBe(facts.length);
    for (const { counts } of facts) expect(counts).toEqual(facts[0].counts);
    expect(gets('a')).toBe(1);
  });

  it('stops a job at once, keeps nothing half-done, and does the batch when the job is resumed', async () => {
    const heard = cluster.hearHeartbeats();
    await ready();
    const bytes = randomBytes(2 ** 20);
    await s3.put('bucket', 'held', bytes);
    const held = hold('held');
    await cluster.send({ root, files: [['held', -1, '']] });
    await until(() => (held.asked() > 0 ? true : undefined));
    await until(() => heard.find(({ running }) => running.length === 1));
    await cluster.jobEvent('job-1', { type: 'JobStopped', data: {} });
    await until(() => (s3.inFlight === 0 ? true : undefined));
    await cluster.untilAcked();
    expect(await cluster.settled()).toEqual([]);
    expect(await journal()).toEqual([]);

    // A batch of a job that is already known to be stopped is not begun.
    const before = s3.requests.length;
    await cluster.send({ root, files: [['held', -1, '']], batchId: 'batch-2' });
    await cluster.untilAcked();
    expect(s3.requests.length).toBe(before);

    s3.fault = undefined;
    await cluster.jobEvent('job-1', { type: 'JobResumed', data: {} });
    await cluster.send({ root, files: [['held', -1, '']], attempt: 2 });
    const [fact] = await cluster.untilSettled(1);
    expect(fact).toMatchObject({ attempt: 2, counts: { loadedFiles: 1, loadedBytes: bytes.length } });
  });

  it('limits a job to its bandwidth, and takes a new one at once', async () => {
    const heard = cluster.hearHeartbeats();
    await ready();
    await s3.put('bucket', 'large', randomBytes(2 ** 20));
    await s3.put('bucket', 'other', 'other');
    await cluster.send({ root, files: [['large', 2 ** 20, await etagOf('large')]], options: { bandwidth: 1000 } });
    await until(() => heard.find(({ running }) => running.length === 1));
    // Another job goes on meanwhile.
    await cluster.send({ root, files: [['other', -1, '']], jobId: 'job-2', batchId: 'batch-2' });
    await cluster.untilSettled(1, 'job-2');
    expect(await cluster.settled()).toEqual([]);
    await cluster.jobEvent('job-1', { type: 'JobRetuned', data: { bandwidth: 0 } });
    expect((await cluster.untilSettled(1))[0].counts).toMatchObject({ loadedFiles: 1 });
  });

  it('looks up a job that ended before the worker started, and does nothing for it', async () => {
    await s3.put('bucket', 'a', 'aaaa');
    await cluster.jobEvent('job-1', { type: 'JobAssumed', data: { owner: 'c', epoch: 1 } });
    await cluster.jobEvent('job-1', { type: 'JobStopped', data: {} });
    await cluster.jobEvent('job-2', { type: 'JobAssumed', data: { owner: 'c', epoch: 1 } });
    await ready();
    await cluster.send({ root, files: [['a', -1, '']] });
    await cluster.untilAcked();
    expect(gets('a')).toBe(0);
    await cluster.send({ root, files: [['a', -1, '']], jobId: 'job-2', batchId: 'batch-2' });
    await cluster.untilSettled(1, 'job-2');
    expect(await cluster.settled('job-1')).toEqual([]);
  });

  it('fault 2: killed in the middle of a batch, it shows nothing partial and does the batch after its restart', async () => {
    const { worker } = await ready();
    const bytes = randomBytes(2 ** 20);
    await s3.put('bucket', 'held', bytes);
    const held = hold('held');
    await cluster.send({ root, files: [['held', -1, '']] });
    await until(() => (held.asked() > 0 ? true : undefined));
    await worker.kill('SIGKILL');
    s3.fault = undefined;
    const { address } = await ready();
    // Not yet redelivered, or done already: never a part of it.
    const early = await get(address, `${root}held`);
    const body = Buffer.from(await early.arrayBuffer());
    if (early.status === 200) expect(body.equals(bytes)).toBe(true);
    else expect(early.status).toBe(404);
    const [fact] = await cluster.untilSettled(1);
    expect(fact).toMatchObject({ attempt: 1, counts: { loadedFiles: 1, failedFiles: 0 } });
    expect(Buffer.from(await (await get(address, `${root}held`)).arrayBuffer()).equals(bytes)).toBe(true);
    await until(async () => ((await journal()).length === 0 ? true : undefined));
  });

  it('fault 12: a batch that kills the worker three times is given up, and its neighbour is loaded', async () => {
    const { worker: first } = await ready();
    await s3.put('bucket', 'poison', randomBytes(2 ** 20));
    await s3.put('bucket', 'good', 'good');
    const poison = { root, files: [['poison', 2 ** 20, await etagOf('poison')]] as [string, number, string][] };
    const { asked } = hold('poison');
    let worker = first;
    for (let crash = 1; crash <= 3; crash++) {
      const before = asked();
      // As the coordinator does for a worker that was lost: the same batch again.
      await cluster.send({ ...poison, attempt: crash });
      await until(() => (asked() > before ? true : undefined));
      await worker.kill('SIGKILL');
      ({ worker } = await ready());
    }
    await cluster.send({ ...poison, attempt: 4 });
    await cluster.send({ root, files: [['good', -1, '']], batchId: 'good' });
    const facts = await until(async () => {
      const all = await cluster.settled();
      return new Set(all.map(({ batchId }) => batchId)).size === 2 ? all : undefined;
    });
    expect(facts.find(({ batchId }) => batchId === 'good')?.counts).toMatchObject({ loadedFiles: 1 });
    const given = facts.find(({ batchId }) => batchId === 'batch-1');
    expect(given?.counts).toMatchObject({ loadedFiles: 0, failedFiles: 1, failedBytes: 2 ** 20 });
    expect(given?.failures).toEqual([
      {
        path: `${root}poison`,
        reason: 'the batch was given up after 3 crashes of the worker while it ran',
        attempts: 0,
      },
    ]);
  });

  it('stops in order while a batch runs, within three seconds, and the batch comes back at once', async () => {
    const { worker } = await ready();
    await s3.put('bucket', 'held', randomBytes(2 ** 20));
    const held = hold('held');
    await cluster.send({ root, files: [['held', -1, '']] });
    await until(() => (held.asked() > 0 ? true : undefined));
    const exited = await Promise.race([
      worker.kill('SIGTERM'),
      new Promise<string>((resolve) => setTimeout(() => resolve('still there'), 3000)),
    ]);
    expect(exited).toBe(0);
    expect(await journal()).toEqual([]);
    s3.fault = undefined;
    await ready();
    expect((await cluster.untilSettled(1))[0].counts).toMatchObject({ loadedFiles: 1 });
  });

  it('fault 3: an outcome that NATS could not take is reported when it is back, and the work is not done twice', async () => {
    await ready();
    await s3.put('bucket', 'slow', randomBytes(2 ** 20));
    let release!: () => void;
    const resumed = new Promise<void>((resolve) => (release = resolve));
    let asked = false;
    s3.fault = ({ key }): Fault | undefined => {
      if (key !== 'slow') return undefined;
      asked = true;
      return { kind: 'pause', afterBytes: 1000, until: resumed };
    };
    await cluster.send({ root, files: [['slow', 2 ** 20, await etagOf('slow')]] });
    await until(() => (asked ? true : undefined));
    await nats.kill9();
    release();
    await until(() => (s3.inFlight === 0 ? true : undefined));
    await nats.restart();
    await cluster.link.whenConnected(performance.now() + 30_000);
    const [fact] = await cluster.untilSettled(1);
    expect(fact.counts).toMatchObject({ loadedFiles: 1 });
    await cluster.untilAcked();
    expect(gets('slow')).toBe(1);
    expect(await cluster.settled()).toHaveLength(1);
  });

  it('works on files below a mount only while that is mounted', async () => {
    await cluster.unmount(root);
    const source = path.join(cluster.directory, 'source');
    await mkdir(source);
    await writeFile(path.join(source, 'a'), 'aaaa');
    await cluster.mount(`file://${source}/`);
    const { address } = await ready();
    await cluster.send({ root: `file://${source}/`, files: [['a', -1, '']] });
    expect((await cluster.untilSettled(1))[0].counts).toMatchObject({ loadedFiles: 1 });
    expect(await (await get(address, `file://${source}/a`)).text()).toBe('aaaa');
    await cluster.unmount(`file://${source}/`);
    await cluster.send({ root: `file://${source}/`, files: [['a', -1, '']], jobId: 'job-2', batchId: 'batch-2' });
    const [fact] = await cluster.untilSettled(1, 'job-2');
    expect(fact.counts).toMatchObject({ loadedFiles: 0, failedFiles: 1 });
  });

  it('is alive but not ready until a coordinator has made the streams', async () => {
    const empty = await TestCluster.open(nats.url);
    try {
      const worker = empty.startWorker({ LARDER_WORKER_PORT: '0' });
      await until(() => (worker.written.includes('worker listens') ? true : undefined));
      const address = /"address":"([^"]+)"/.exec(worker.written)![1];
      await until(async () => {
        const response = await fetch(`http://${address}/readyz`);
        const { status } = (await response.json()) as { status: string };
        return response.status === 503 && status.includes('streams') ? true : undefined;
      });
      await empty.ensureStreams();
      await worker.ready();
      expect((await fetch(`http://${address}/readyz`)).status).toBe(200);
    } finally {
      await empty.close();
    }
  });

  it('takes no more batches once decommissioned, but serves its copies', async () => {
    const heard = cluster.hearHeartbeats();
    const { address } = await ready();
    await s3.put('bucket', 'a', 'aaaa');
    await cluster.send({ root, files: [['a', -1, '']] });
    await cluster.untilSettled(1);
    const { workerId, bootId } = await until(() => heard[0]);
    const announced = { workerId, bootId, address, capacityBytes: 1, version: '0' };
    await cluster.append('membership', { type: 'WorkerJoined', data: announced });
    await cluster.append('membership', { type: 'WorkerDecommissioned', data: { workerId, bootId } });
    await until(async () => ((await fetch(`http://${address}/readyz`)).status === 503 ? true : undefined));
    expect(await (await get(address, `${root}a`)).text()).toBe('aaaa');
  });

  describe('refuses to start', () => {
    async function refusal(worker: TestWorker): Promise<string> {
      expect(await worker.exited).toBe(78);
      return worker.written;
    }

    it('with settings that are wrong', async () => {
      expect(await refusal(cluster.startWorker({ LARDER_WORKER_BATCHES: '0' }))).toContain('LARDER_WORKER_BATCHES');
    });

    it('beside another process on the same cache directory', async () => {
      await ready();
      expect(await refusal(cluster.startWorker())).toMatch(/^worker: LARDER_CACHE_DIR: /m);
    });

    it('with an invalid identity', async () => {
      await mkdir(path.join(cluster.directory, 'cache'));
      await writeFile(path.join(cluster.directory, 'cache', 'identity.json'), 'not JSON');
      expect(await refusal(cluster.startWorker())).toContain('identity.json');
    });

    it('on a port that is taken', async () => {
      const { address } = await ready();
      const changes = {
        LARDER_WORKER_PORT: address.split(':')[1],
        LARDER_CACHE_DIR: path.join(cluster.directory, 'other'),
      };
      expect(await refusal(cluster.startWorker(changes))).toMatch(/^worker: LARDER_WORKER_PORT: .*EADDRINUSE/m);
    });
  });

  async function etagOf(key: string): Promise<string> {
    const tuning = { idleTimeoutMs: 5000, connectTimeoutMs: 1000, maxConnections: 1 };
    const connector = openUfs({ ufs: root, options: s3Options }, tuning);
    try {
      return (await connector.stat(root + key)).version;
    } finally {
      await connector.close();
    }
  }
});
