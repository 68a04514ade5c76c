import { randomBytes } from 'node:crypto';
import { open, readdir } from 'node:fs/promises';
import path from 'node:path';
import { InProcessCluster, root, type InProcessWorker } from '../spec-support/in-process-workers.js';

const files = Array.from({ length: 60 }, (_, i) => `f${String(i).padStart(2, '0')}`);

describe('rebalancing workers', () => {
  let cluster: InProcessCluster;
  beforeEach(async () => void (cluster = await InProcessCluster.open()));
  afterEach(() => cluster.close());

  const ring = (worker: InProcessWorker) => worker.services.view.members().ring;
  const held = () => Object.fromEntries(cluster.workers.map((worker) => [worker.workerId, worker.names()]));
  /** Where the ring wants the files now. */
  const wanted = (replicas = 1) =>
    Object.fromEntries(
      cluster.workers.map((worker) => [
        worker.workerId,
        files.filter((name) =>
          ring(worker)
            .owners(root + name, replicas)
            .includes(worker.workerId),
        ),
      ]),
    );
  const contentOf = (name: string, size = 100) => Buffer.alloc(size, name);

  async function fill(workers: InProcessWorker[], replicas = 1, version = 'v1'): Promise<void> {
    for (const name of files) {
      for (const owner of ring(workers[0]).owners(root + name, replicas)) {
        await workers.find(({ workerId }) => workerId === owner)!.put(name, contentOf(name), { replicas, version });
      }
    }
  }

  async function expectContents(): Promise<void> {
    for (const worker of cluster.workers) {
      for (const name of worker.names()) {
        const response = await fetch(worker.url(root + name, '&cachedOnly=true'));
        expect(Buffer.from(await response.arrayBuffer()).equals(contentOf(name))).toBe(true);
      }
    }
  }

  it.each([1, 2])(
    'after a worker was added, %i copies of each file move to the workers that the ring names',
    async (replicas) => {
      const old = [await cluster.start(), await cluster.start()];
      await fill(old, replicas);
      const before = held();
      const loadedAt = (worker: InProcessWorker, name: string) => worker.cache.get(root + name)?.loadedAtMs;
      const firstLoadedAt = new Map(files.map((name) => [name, old.map((worker) => loadedAt(worker, name))]));
      const added = await cluster.start();
      const loads = await Promise.all(cluster.workers.map((worker) => worker.rebalance('main')));
      // Nothing goes before all of it has come.
      for (const { workerId } of old) expect(held()[workerId]).toEqual(expect.arrayContaining(before[workerId]));
      const own = wanted(replicas)[added.workerId].length;
      expect(own).toBeGreaterThan(0);
      expect(loads[2]).toEqual({
        counts: {
          ...{ filesLoaded: own, bytesLoaded: own * 100, filesFromPeers: own, filesFromUfs: 0 },
          ...{ filesPreserved: 0, bytesPreserved: 0, filesFailed: 0, passesDone: 1 },
        },
        failures: [],
      });
      // Done again it is the same.
      expect(await added.rebalance('main')).toEqual(loads[2]);
      const pruned = await Promise.all(cluster.workers.map((worker) => worker.rebalance('prune')));
      expect(held()).toEqual(wanted(replicas));
      const gone = pruned.reduce((sum, { counts }) => sum + counts.filesPruned, 0);
      expect(gone).toBe(Object.values(before).flat().length + own - files.length * replicas);
      await expectContents();
      expect(added.cache.get(root + added.names()[0])).toMatchObject({ replicas, jobId: 'rebalance-1' });
      // A time to live counts from loading, not from moving.
      for (const name of added.names()) expect(firstLoadedAt.get(name)).toContain(loadedAt(added, name));
      expect(cluster.s3.requests).toEqual([]);
    },
  );

  it.each(['W/"" @2026-01-01T10:00:00.000Z', 'W/"a" @2026-01-01T10:00:00.000Z', 'W/"a"', 'W/""'])(
    'copies of the version %s move between workers like any other',
    async (version) => {
      const old = [await cluster.start(), await cluster.start()];
      await fill(old, 1, version);
      const added = await cluster.start();
      for (let round = 0; round < 2; round++) {
        const { counts } = await added.rebalance('main');
        const own = wanted()[added.workerId].length;
        expect(counts).toMatchObject({ filesLoaded: own, filesFromPeers: own, filesFromUfs: 0, filesFailed: 0 });
      }
      for (const worker of cluster.workers) await worker.rebalance('prune');
      expect(held()).toEqual(wanted());
      await expectContents();
      expect(cluster.s3.requests).toEqual([]);
    },
  );

  it('fetches copies that a decommissioned worker still serves', async () => {
    const workers = [await cluster.start(), await cluster.start(), await cluster.start()];
    await fill(workers);
    const leaving = workers[2];
    const { workerId } = leaving;
    cluster.membership({ type: 'WorkerDecommissioned', data: { workerId, bootId: workerId } });
    for (const worker of workers.slice(0, 2)) {
      const { counts } = await worker.rebalance('main');
      expect(counts).toMatchObject({ filesFailed: 0, filesFromUfs: 0 });
      await worker.rebalance('prune');
    }
    const { [workerId]: left, ...others } = held();
    expect(others).toEqual({ 'worker-1': wanted()['worker-1'], 'worker-2': wanted()['worker-2'] });
    expect(left.length).toBeGreaterThan(0);
    expect(cluster.s3.requests).toEqual([]);
  });

  it('keeps copies that no owner confirms: missing, of another version, or with an owner that does not answer', async () => {
    const [one, two] = [await cluster.start(), await cluster.start()];
    const strays = files.filter((name) => ring(one).owners(root + name)[0] === two.workerId).slice(0, 3);
    for (const name of strays) await one.put(name, contentOf(name));
    await two.put(strays[0], contentOf(strays[0]));
    await two.put(strays[1], contentOf(strays[1]), { version: 'v2' });
    const { counts } = await one.rebalance('prune');
    const rest = { filesPreserved: 2, bytesPreserved: 200, passesDone: 1 };
    expect(counts).toEqual({ filesPruned: 1, bytesPruned: 100, ...rest });
    expect(one.names()).toEqual(strays.slice(1));
    expect(one.throttled).toEqual([100]);
    await two.stopServing();
    await one.rebalance('prune');
    expect(one.names()).toEqual(strays.slice(1));
  });

  it('two workers with rings of different times never remove both copies', async () => {
    const one = await cluster.start();
    const two = await cluster.start();
    const name = files.find((file) => ring(one).owners(root + file)[0] === two.workerId)!;
    await one.put(name, 'x');
    await two.put(name, 'x');
    const { sequence } = one.services.view.members();
    // The second knows already that it is no owner any more; the first does not.
    const data = { workerId: two.workerId, bootId: two.workerId };
    cluster.workers.splice(1, 1);
    const later = { type: 'WorkerWentOffline' as const, data: { workerId: 'nobody', bootId: 'x' } };
    cluster.membership(later);
    cluster.workers.push(two);
    expect(await one.services.remover.remove(root + name, sequence)).toBe(false);
    expect(one.names()).toEqual([name]);
    // A copy that is on its way out is not vouched for.
    cluster.membership({ type: 'WorkerDecommissioned', data });
    const asked = { paths: [root + name], asOwner: one.services.view.members().sequence };
    expect((await one.ask('/v1/lookup', asked)).body).toMatchObject({ entries: [[1, 'v1']] });
    const leaving = one.services.remover.remove(root + name, asked.asOwner);
    expect(one.services.remover.isLeaving(root + name)).toBe(true);
    expect(await leaving).toBe(true);
  });

  it('lets the UFS decide between two versions, and keeps its own when the UFS has neither', async () => {
    const one = await cluster.start();
    const target = await cluster.start();
    const mine = files.filter((name) => ring(target).owners(root + name)[0] === target.workerId).slice(0, 2);
    await cluster.s3.put('bucket', mine[0], contentOf(mine[0]));
    for (const name of mine) {
      await one.put(name, 'older than the UFS');
      await target.put(name, 'older still', { version: 'v0' });
    }
    const { counts, failures } = await target.rebalance('main');
    expect(failures).toEqual([]);
    expect(counts).toMatchObject({ filesLoaded: 1, filesFromUfs: 1, filesFromPeers: 0, filesPreserved: 1 });
    const response = await fetch(target.url(root + mine[0]));
    expect(Buffer.from(await response.arrayBuffer()).equals(contentOf(mine[0]))).toBe(true);
    expect(target.cache.get(root + mine[1])?.version).toBe('v0');
  });

  it.each(['peer', 'UFS'])('takes a file that is damaged at one peer from the %s', async (from) => {
    const [one, two] = [await cluster.start(), await cluster.start()];
    const target = await cluster.start();
    const name = files.find((file) => ring(target).owners(root + file)[0] === target.workerId)!;
    const bytes = randomBytes(3 * 2 ** 20);
    await one.put(name, bytes);
    if (from === 'peer') await two.put(name, bytes);
    else await cluster.s3.put('bucket', name, bytes);
    await damageLargeObject(one.directory);
    const { counts, failures } = await target.rebalance('main');
    expect(failures).toEqual([]);
    expect(counts).toMatchObject({ filesLoaded: 1, filesFromUfs: from === 'UFS' ? 1 : 0 });
    const response = await fetch(target.url(root + name));
    expect(Buffer.from(await response.arrayBuffer()).equals(bytes)).toBe(true);
  });

  it('fetches a large object from a peer through the throttle', async () => {
    const one = await cluster.start();
    const two = await cluster.start();
    const name = files.find((file) => ring(two).owners(root + file)[0] === two.workerId)!;
    const bytes = randomBytes(3 * 2 ** 20);
    await one.put(name, bytes);
    const { counts } = await two.rebalance('main');
    expect(counts).toMatchObject({ filesLoaded: 1, bytesLoaded: bytes.length, filesFromPeers: 1 });
    expect(two.throttled.reduce((sum, paid) => sum + paid, 0)).toBe(bytes.length);
    const response = await fetch(two.url(root + name));
    expect(Buffer.from(await response.arrayBuffer()).equals(bytes)).toBe(true);
  });

  it('also moves metadata, which counts as no file', async () => {
    const [one, two] = [await cluster.start(), await cluster.start()];
    const name = files.find((file) => ring(two).owners(root + file)[0] === two.workerId)!;
    await one.cache.putMetadata({ path: root + name, version: 'v1' }, 5);
    expect((await two.rebalance('main')).counts).toMatchObject({ filesLoaded: 0, filesFailed: 0 });
    expect((await one.rebalance('prune')).counts).toMatchObject({ filesPruned: 0, filesPreserved: 0 });
    expect([one.names(), two.names()]).toEqual([[], [name]]);
    expect(two.cache.get(root + name)).toMatchObject({ metadataOnly: true, sizeBytes: 5 });
  });

  it('names an online peer that does not answer; passes over one that is offline', async () => {
    const [one, two] = [await cluster.start(), await cluster.start()];
    await two.stopServing();
    const { counts, failures } = await one.rebalance('main');
    expect(counts).toMatchObject({ filesFailed: 1, passesDone: 1 });
    expect(failures).toMatchObject([{ path: 'worker worker-2', attempts: 2 }]);
    expect(failures[0].reason).toContain(two.address);
    cluster.membership({ type: 'WorkerWentOffline', data: { workerId: 'worker-2', bootId: 'worker-2' } });
    expect((await one.rebalance('main')).counts).toMatchObject({ filesFailed: 0, passesDone: 1 });
  });
});

/** Flips a bit in the only object file of a worker. */
async function damageLargeObject(directory: string): Promise<void> {
  const objects = await readdir(path.join(directory, 'objects'), { recursive: true, withFileTypes: true });
  const [found] = objects.filter((one) => one.isFile());
  const file = await open(path.join(found.parentPath, found.name), 'r+');
  const byte = Buffer.alloc(1);
  await file.read(byte, 0, 1, 2 ** 20);
  await file.write(Buffer.from([byte[0] ^ 1]), 0, 1, 2 ** 20);
  await file.close();
}
