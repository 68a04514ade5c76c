import path from 'node:path';
import { until } from '#async';
import type { WorkerHeartbeat } from '#contexts/membership';
import { HashRing } from '#hash-ring';
import { clusterSuite } from '#testing';
import { StandInCoordinator, withoutCoordinator } from './spec-support/stand-in-coordinator.js';

const root = 's3://bucket/';
const names = Array.from({ length: 30 }, (_, i) => `f${i}`);

clusterSuite('several worker processes', withoutCoordinator, ({ cluster, s3, test }) => {
  let coordinator: StandInCoordinator;
  let heard: WorkerHeartbeat[];

  beforeEach(async () => {
    s3.server.createBucket('bucket');
    coordinator = await StandInCoordinator.open(cluster);
    await coordinator.ensureStreams();
    await coordinator.mount(root, s3.mountOptions);
    heard = coordinator.hearHeartbeats();
  });
  afterEach(() => coordinator?.close());

  /** Starts a worker on a directory of its own; it is a member when this resolves. */
  async function start(directory: string): Promise<WorkerHeartbeat> {
    const { address } = await coordinator.startWorker({ LARDER_CACHE_DIR: path.join(cluster.directory, directory) });
    const heartbeat = await until(() => heard.find((one) => one.address === address));
    await coordinator.join(heartbeat);
    return heartbeat;
  }

  const objects = (address: string, name: string, more = '') =>
    fetch(`http://${address}/v1/objects?path=${encodeURIComponent(root + name)}${more}`, { redirect: 'manual' });
  const entries = (workers: WorkerHeartbeat[]) =>
    Promise.all(
      workers.map(async ({ address, workerId }) => {
        const held = await Promise.all(names.map((name) => objects(address, name, '&cachedOnly=true')));
        for (const one of held) await one.arrayBuffer();
        return [workerId, names.filter((_name, i) => held[i].status === 200)] as const;
      }),
    );
  const latest = (workerId: string) => heard.findLast((one) => one.workerId === workerId)!;
  const gets = () => s3.server.requests.filter(({ operation }) => operation === 'GetObject').length;

  test('load two copies, make room on a third worker without the UFS, and free everything', async () => {
    const [one, two] = [await start('one'), await start('two')];
    for (const name of names) await s3.server.put('bucket', name, `is ${name}`);
    const files = names.map((name): [string, number, string] => [name, -1, '']);
    const options = { replicas: 2 };
    await coordinator.send({ root, files, options }, one.workerId);
    await coordinator.send({ root, files, options, batchId: 'batch-2', copy: 1 }, two.workerId);
    await coordinator.untilSettled(2);
    const three = await start('three');
    const workers = [one, two, three];
    const fetched = gets();

    const rebalance = { loadBatchSize: 5, loadBandwidth: 0, pruneBandwidth: 0, skipPrune: false };
    for (const pass of ['main', 'prune'] as const) {
      for (const { workerId } of workers) {
        const batchId = `${pass}-${workerId}`;
        const target: [string, number, string][] = [[workerId, -1, '']];
        const batch = { kind: 'rebalance', jobId: 'job-2', batchId, pass, options: rebalance };
        await coordinator.send({ ...batch, root: '', files: target }, workerId);
      }
      await coordinator.untilSettled(pass === 'main' ? 3 : 6, 'job-2');
    }
    const ring = new HashRing(workers.map(({ workerId }) => workerId));
    const wanted = ({ workerId }: WorkerHeartbeat) =>
      names.filter((name) => ring.owners(root + name, 2).includes(workerId));
    expect(await entries(workers)).toEqual(workers.map((worker) => [worker.workerId, wanted(worker)]));
    expect(gets()).toBe(fetched);

    const freeing = { kind: 'free', jobId: 'job-3', options: { recursive: true, batchSize: 10 } };
    for (const { workerId } of workers) {
      await coordinator.send({ ...freeing, root, files: [['', -1, '']], batchId: `free-${workerId}` }, workerId);
    }
    const freed = await coordinator.untilSettled(3, 'job-3');
    const sum = (name: string) => freed.reduce((total, { counts }) => total + counts[name], 0);
    expect([sum('freedFiles'), sum('freedReplicas'), sum('failedFiles')]).toEqual([30, 30, 0]);
    expect((await entries(workers)).flatMap(([, held]) => held)).toEqual([]);
  });

  test('send readers of a missing object to its owner, who fetches it once', async () => {
    const workers = [await start('one'), await start('two')];
    await s3.server.put('bucket', 'a', 'aaaa');
    const [owner] = new HashRing(workers.map(({ workerId }) => workerId)).owners(`${root}a`);
    const other = workers.find(({ workerId }) => workerId !== owner)!;
    // It follows the log on its own.
    const redirected = await until(async () => {
      const answer = await objects(other.address, 'a', '&cachedOnly=false');
      return answer.status === 307 ? answer : undefined;
    });
    const { address } = workers.find(({ workerId }) => workerId === owner)!;
    expect(redirected.headers.get('location')).toContain(`http://${address}/v1/objects?`);
    const before = gets();
    const readers = Array.from({ length: 8 }, async () =>
      (await fetch(`http://${other.address}/v1/objects?path=${root}a`)).text(),
    );
    expect(new Set(await Promise.all(readers))).toEqual(new Set(['aaaa']));
    await until(() => (latest(owner).objects === 1 ? true : undefined));
    expect(gets() - before).toBe(1);
  });

  test('tell what they hold below quotas as soon as one is set, up to which report, and after a restart', async () => {
    const asked: unknown[] = [];
    coordinator.answer('quota-grant', (ask) => {
      asked.push(ask);
      return { granted: true };
    });
    const { process: first, address } = await coordinator.startWorker();
    const worker = await until(() => heard.find((one) => one.address === address));
    await coordinator.join(worker);
    await s3.server.put('bucket', 'dir/a', 'aaaa');
    await coordinator.send({ root, files: [['dir/a', -1, '']] });
    await coordinator.untilSettled(1);
    const settledAt = await coordinator.lastSequence('batch.job-1.*');
    await coordinator.namespaceEvent({ type: 'QuotaSet', data: { path: '/data/dir', quotaBytes: 100 } });
    const told = await until(() => heard.find(({ quotaUsage }) => quotaUsage?.['s3://bucket/dir'] === 4));
    expect(told.reportedSequence).toBeGreaterThanOrEqual(settledAt);
    expect(heard[0].reportedSequence).toBeLessThan(settledAt);

    await s3.server.put('bucket', 'dir/b', 'bb');
    expect(await (await objects(worker.address, 'dir/b')).text()).toBe('bb');
    expect(asked).toEqual([
      { workerId: worker.workerId, id: expect.any(String) as string, path: `${root}dir/b`, bytes: 2 },
    ]);
    await until(() => (latest(worker.workerId).quotaUsage?.['s3://bucket/dir'] === 6 ? true : undefined));

    await first.stop();
    await coordinator.startWorker();
    const back = await until(() => heard.find(({ bootId, leaving }) => bootId !== worker.bootId && !leaving));
    expect(back.quotaUsage).toEqual({ 's3://bucket/dir': 6 });
    expect(back.reportedSequence).toBeGreaterThanOrEqual(settledAt);
  });
});
