import { randomBytes } from 'node:crypto';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { until } from '#async';
import { clusterKey, clusterSuite, type Fault, type WorkerHandle } from '#testing';
import { openUfs } from '#ufs';
import { StandInCoordinator, withoutCoordinator } from './spec-support/stand-in-coordinator.js';

const root = 's3://bucket/';
const canary = 'canary-secret-0123456789';

const credentials = { accessKeyId: 'larder', secretAccessKey: canary };

clusterSuite('the worker process', { ...withoutCoordinator, s3: { credentials } }, ({ cluster, s3, test }) => {
  let coordinator: StandInCoordinator;

  beforeEach(async () => {
    s3.server.createBucket('bucket');
    coordinator = await StandInCoordinator.open(cluster);
    await coordinator.ensureStreams();
    await coordinator.mount(root, s3.mountOptions);
  });
  afterEach(() => coordinator?.close());

  const put = (key: string, bytes: string | Buffer) => s3.server.put('bucket', key, bytes);
  const get = (address: string, ufsPath: string) =>
    fetch(`http://${address}/v1/objects?path=${encodeURIComponent(ufsPath)}`);
  const gets = (key: string) => s3.server.requests.filter((one) => one.method === 'GET' && one.key === key).length;
  const journal = () => readdir(path.join(coordinator.cacheDir, 'running'));
  /** Reads of this object send some bytes and then no more. */
  function hold(key: string): { asked: () => number } {
    let asked = 0;
    s3.faults.set('bucket', (request): Fault | undefined => {
      if (request.operation !== 'GetObject' || request.key !== key) return undefined;
      asked++;
      return { kind: 'pause', afterBytes: 1000 };
    });
    return { asked: () => asked };
  }

  test('loads a batch, reports it, serves it, and shows itself in heartbeats', async () => {
    const heard = coordinator.hearHeartbeats();
    const { process: worker, address } = await coordinator.startWorker();
    const large = randomBytes(2 ** 20);
    await put('dir/a', 'aaaa');
    await put('dir/large', large);
    await coordinator.send({
      root: `${root}dir/`,
      files: [
        ['a', -1, ''],
        ['large', -1, ''],
        ['none', -1, ''],
      ],
    });
    const [fact] = await coordinator.untilSettled(1);
    const workerId = await coordinator.workerId();
    expect(fact).toMatchObject({ jobId: 'job-1', batchId: 'batch-1', workerId, epoch: 1, attempt: 1 });
    expect(fact.counts).toMatchObject({ loadedFiles: 2, loadedBytes: 4 + 2 ** 20, failedFiles: 1 });
    expect(fact.failures).toMatchObject([{ path: `${root}dir/none` }]);
    await coordinator.untilAcked();
    expect(await (await get(address, `${root}dir/a`)).text()).toBe('aaaa');
    expect(Buffer.from(await (await get(address, `${root}dir/large`)).arrayBuffer()).equals(large)).toBe(true);
    expect(await until(() => heard.find(({ objects }) => objects === 2))).toMatchObject({
      workerId,
      address,
      capacityBytes: 64 * 2 ** 20,
      version: expect.stringMatching(/^\d+\.\d+\.\d+$/) as string,
    });
    expect(await journal()).toEqual([]);
    expect((await worker.stop()).code).toBe(0);
    expect(await until(() => heard.find(({ leaving }) => leaving))).toMatchObject({ workerId });
    // fault 23
    expect(worker.log()).not.toContain(canary);
    expect(worker.log()).not.toContain(clusterKey.key.toString('base64'));
  });

  test('keeps its identity and its cache over a restart, and has a new boot id', async () => {
    const heard = coordinator.hearHeartbeats();
    const first = await coordinator.startWorker();
    await put('a', 'aaaa');
    await coordinator.send({ root, files: [['a', -1, '']] });
    await coordinator.untilSettled(1);
    await first.process.stop();
    const second = await coordinator.startWorker();
    expect(await (await get(second.address, `${root}a`)).text()).toBe('aaaa');
    const boots = await until(() => {
      const ids = new Set(heard.map(({ workerId, bootId }) => `${workerId} ${bootId}`));
      return ids.size === 2 ? [...ids] : undefined;
    });
    expect(boots[0].split(' ')[0]).toBe(boots[1].split(' ')[0]);
  });

  test('fault 13: ten deliveries of one batch are one report, and all are acked', async () => {
    await coordinator.startWorker();
    await put('a', 'aaaa');
    for (let attempt = 1; attempt <= 10; attempt++) {
      await coordinator.send({ root, files: [['a', -1, '']], attempt });
    }
    await coordinator.untilAcked();
    const facts = await coordinator.settled();
    expect(new Set(facts.map(({ attempt }) => attempt)).size).toBe(facts.length);
    for (const { counts } of facts) expect(counts).toEqual(facts[0].counts);
    expect(gets('a')).toBe(1);
  });

  test('stops a job at once, keeps nothing half-done, and does the batch when the job is resumed', async () => {
    const heard = coordinator.hearHeartbeats();
    await coordinator.startWorker();
    const bytes = randomBytes(2 ** 20);
    await put('held', bytes);
    const held = hold('held');
    await coordinator.send({ root, files: [['held', -1, '']] });
    await until(() => (held.asked() > 0 ? true : undefined));
    await until(() => heard.find(({ running }) => running.length === 1));
    await coordinator.jobEvent('job-1', { type: 'JobStopped', data: {} });
    await until(() => (s3.server.inFlight === 0 ? true : undefined));
    await coordinator.untilAcked();
    expect(await coordinator.settled()).toEqual([]);
    expect(await journal()).toEqual([]);

    // A batch of a job that is already known to be stopped is not begun.
    const before = s3.server.requests.length;
    await coordinator.send({ root, files: [['held', -1, '']], batchId: 'batch-2' });
    await coordinator.untilAcked();
    expect(s3.server.requests.length).toBe(before);

    s3.faults.delete('bucket');
    await coordinator.jobEvent('job-1', { type: 'JobResumed', data: {} });
    await coordinator.send({ root, files: [['held', -1, '']], attempt: 2 });
    const [fact] = await coordinator.untilSettled(1);
    expect(fact).toMatchObject({ attempt: 2, counts: { loadedFiles: 1, loadedBytes: bytes.length } });
  });

  test('holds a job to its bandwidth, and takes a new one at once', async () => {
    const heard = coordinator.hearHeartbeats();
    await coordinator.startWorker();
    await put('large', randomBytes(2 ** 20));
    await put('other', 'other');
    await coordinator.send({ root, files: [['large', 2 ** 20, await etagOf('large')]], options: { bandwidth: 1000 } });
    await until(() => heard.find(({ running }) => running.length === 1));
    // Another job goes on meanwhile.
    await coordinator.send({ root, files: [['other', -1, '']], jobId: 'job-2', batchId: 'batch-2' });
    await coordinator.untilSettled(1, 'job-2');
    expect(await coordinator.settled()).toEqual([]);
    await coordinator.jobEvent('job-1', { type: 'JobRetuned', data: { bandwidth: 0 } });
    expect((await coordinator.untilSettled(1))[0].counts).toMatchObject({ loadedFiles: 1 });
  });

  test('looks up a job that ended before the worker started, and does nothing for it', async () => {
    await put('a', 'aaaa');
    await coordinator.jobEvent('job-1', { type: 'JobAssumed', data: { owner: 'c', epoch: 1 } });
    await coordinator.jobEvent('job-1', { type: 'JobStopped', data: {} });
    await coordinator.jobEvent('job-2', { type: 'JobAssumed', data: { owner: 'c', epoch: 1 } });
    await coordinator.startWorker();
    await coordinator.send({ root, files: [['a', -1, '']] });
    await coordinator.untilAcked();
    expect(gets('a')).toBe(0);
    await coordinator.send({ root, files: [['a', -1, '']], jobId: 'job-2', batchId: 'batch-2' });
    await coordinator.untilSettled(1, 'job-2');
    expect(await coordinator.settled('job-1')).toEqual([]);
  });

  test('fault 2: killed in the middle of a batch, it shows nothing partial and does the batch after its restart', async () => {
    const { process: worker } = await coordinator.startWorker();
    const bytes = randomBytes(2 ** 20);
    await put('held', bytes);
    const held = hold('held');
    await coordinator.send({ root, files: [['held', -1, '']] });
    await until(() => (held.asked() > 0 ? true : undefined));
    await worker.kill9();
    s3.faults.delete('bucket');
    const { address } = await coordinator.startWorker();
    // Not yet redelivered, or done already: never a part of it.
    const early = await get(address, `${root}held`);
    const body = Buffer.from(await early.arrayBuffer());
    if (early.status === 200) expect(body.equals(bytes)).toBe(true);
    else expect(early.status).toBe(404);
    const [fact] = await coordinator.untilSettled(1);
    expect(fact).toMatchObject({ attempt: 1, counts: { loadedFiles: 1, failedFiles: 0 } });
    expect(Buffer.from(await (await get(address, `${root}held`)).arrayBuffer()).equals(bytes)).toBe(true);
    await until(async () => ((await journal()).length === 0 ? true : undefined));
  });

  test('fault 12: a batch that kills the worker three times is given up, and its neighbour is loaded', async () => {
    let { process: worker } = await coordinator.startWorker();
    await put('poison', randomBytes(2 ** 20));
    await put('good', 'good');
    const poison = { root, files: [['poison', 2 ** 20, await etagOf('poison')]] as [string, number, string][] };
    const { asked } = hold('poison');
    for (let crash = 1; crash <= 3; crash++) {
      const before = asked();
      // As the coordinator does for a worker that was lost: the same batch again.
      await coordinator.send({ ...poison, attempt: crash });
      await until(() => (asked() > before ? true : undefined));
      await worker.kill9();
      ({ process: worker } = await coordinator.startWorker());
    }
    await coordinator.send({ ...poison, attempt: 4 });
    await coordinator.send({ root, files: [['good', -1, '']], batchId: 'good' });
    const facts = await until(async () => {
      const all = await coordinator.settled();
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

  test('stops in order while a batch runs, within three seconds, and the batch comes back at once', async () => {
    const { process: worker } = await coordinator.startWorker();
    await put('held', randomBytes(2 ** 20));
    const held = hold('held');
    await coordinator.send({ root, files: [['held', -1, '']] });
    await until(() => (held.asked() > 0 ? true : undefined));
    const exited = await Promise.race([
      worker.stop().then(({ code }) => code),
      new Promise<string>((resolve) => setTimeout(() => resolve('still there'), 3000)),
    ]);
    expect(exited).toBe(0);
    expect(await journal()).toEqual([]);
    s3.faults.delete('bucket');
    await coordinator.startWorker();
    expect((await coordinator.untilSettled(1))[0].counts).toMatchObject({ loadedFiles: 1 });
  });

  test('fault 3: an outcome that NATS could not take is reported when it is back, and the work is not done twice', async () => {
    await coordinator.startWorker();
    await put('slow', randomBytes(2 ** 20));
    let release!: () => void;
    const resumed = new Promise<void>((resolve) => (release = resolve));
    let asked = false;
    s3.faults.set('bucket', ({ key }): Fault | undefined => {
      if (key !== 'slow') return undefined;
      asked = true;
      return { kind: 'pause', afterBytes: 1000, until: resumed };
    });
    await coordinator.send({ root, files: [['slow', 2 ** 20, await etagOf('slow')]] });
    await until(() => (asked ? true : undefined));
    await cluster.nats.kill9();
    release();
    await until(() => (s3.server.inFlight === 0 ? true : undefined));
    await cluster.nats.restart();
    await coordinator.link.whenConnected(performance.now() + 30_000);
    const [fact] = await coordinator.untilSettled(1);
    expect(fact.counts).toMatchObject({ loadedFiles: 1 });
    await coordinator.untilAcked();
    expect(gets('slow')).toBe(1);
    expect(await coordinator.settled()).toHaveLength(1);
  });

  test('works on files below a mount only while that is mounted', async () => {
    await coordinator.unmount(root);
    const source = path.join(cluster.directory, 'source');
    await mkdir(source);
    await writeFile(path.join(source, 'a'), 'aaaa');
    await coordinator.mount(`file://${source}/`);
    const { address } = await coordinator.startWorker();
    await coordinator.send({ root: `file://${source}/`, files: [['a', -1, '']] });
    expect((await coordinator.untilSettled(1))[0].counts).toMatchObject({ loadedFiles: 1 });
    expect(await (await get(address, `file://${source}/a`)).text()).toBe('aaaa');
    await coordinator.unmount(`file://${source}/`);
    await coordinator.send({ root: `file://${source}/`, files: [['a', -1, '']], jobId: 'job-2', batchId: 'batch-2' });
    const [fact] = await coordinator.untilSettled(1, 'job-2');
    expect(fact.counts).toMatchObject({ loadedFiles: 0, failedFiles: 1 });
  });

  test('takes no more batches once decommissioned, but serves what it has', async () => {
    const heard = coordinator.hearHeartbeats();
    const { address } = await coordinator.startWorker();
    await put('a', 'aaaa');
    await coordinator.send({ root, files: [['a', -1, '']] });
    await coordinator.untilSettled(1);
    const { workerId, bootId } = await until(() => heard[0]);
    const announced = { workerId, bootId, address, capacityBytes: 1, version: '0' };
    await coordinator.append('membership', { type: 'WorkerJoined', data: announced });
    await coordinator.append('membership', { type: 'WorkerDecommissioned', data: { workerId, bootId } });
    await until(async () => ((await fetch(`http://${address}/readyz`)).status === 503 ? true : undefined));
    expect(await (await get(address, `${root}a`)).text()).toBe('aaaa');
  });

  describe('refuses to start', () => {
    async function refusal({ process }: WorkerHandle): Promise<string> {
      expect((await process.exited).code).toBe(78);
      return process.log();
    }

    test('with settings that are wrong', async () => {
      expect(await refusal(await coordinator.launchWorker({ LARDER_WORKER_BATCHES: '0' }))).toContain(
        'LARDER_WORKER_BATCHES',
      );
    });

    test('beside another process on the same cache directory', async () => {
      await coordinator.startWorker();
      expect(await refusal(await coordinator.launchWorker())).toMatch(/^worker: LARDER_CACHE_DIR: /m);
    });

    test('with an identity that is none', async () => {
      await mkdir(coordinator.cacheDir);
      await writeFile(path.join(coordinator.cacheDir, 'identity.json'), 'not JSON');
      expect(await refusal(await coordinator.launchWorker())).toContain('identity.json');
    });

    test('on a port that is taken', async () => {
      const { address } = await coordinator.startWorker();
      const changes = {
        LARDER_WORKER_PORT: address.split(':')[1],
        LARDER_CACHE_DIR: path.join(cluster.directory, 'other'),
      };
      expect(await refusal(await coordinator.launchWorker(changes))).toMatch(
        /^worker: LARDER_WORKER_PORT: .*EADDRINUSE/m,
      );
    });
  });

  async function etagOf(key: string): Promise<string> {
    const tuning = { idleTimeoutMs: 5000, connectTimeoutMs: 1000, maxConnections: 1 };
    const connector = openUfs({ ufs: root, options: s3.mountOptions }, tuning);
    try {
      return (await connector.stat(root + key)).version;
    } finally {
      await connector.close();
    }
  }
});

clusterSuite('the worker process', withoutCoordinator, ({ cluster, test }) => {
  test('waits for a coordinator to make the streams, alive but not ready', async () => {
    const coordinator = await StandInCoordinator.open(cluster);
    try {
      const { process: worker } = await coordinator.launchWorker();
      await until(() => (worker.log().includes('worker listens') ? true : undefined));
      const address = /"address":"([^"]+)"/.exec(worker.log())![1];
      await until(async () => {
        const response = await fetch(`http://${address}/readyz`);
        const { status } = (await response.json()) as { status: string };
        return response.status === 503 && status.includes('streams') ? true : undefined;
      });
      await coordinator.ensureStreams();
      await worker.untilReady();
      expect((await fetch(`http://${address}/readyz`)).status).toBe(200);
    } finally {
      await coordinator.close();
    }
  });
});
