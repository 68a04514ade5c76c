import { InProcessCluster, root, type InProcessWorker } from '../spec-support/in-process-workers.js';

const unmounted = { type: 'Unmounted' as const, data: { path: '/data/', ufs: root } };

describe('an object that no mount covers', () => {
  let cluster: InProcessCluster;
  beforeEach(async () => void (cluster = await InProcessCluster.open()));
  afterEach(() => cluster.close());

  const status = async (worker: InProcessWorker, name: string, init: RequestInit = {}, more = '') =>
    (await fetch(worker.url(root + name, more), { redirect: 'manual', ...init })).status;

  it('is not served over any read path, stays on disk, and is served again after a new mount', async () => {
    const [worker, other] = [await cluster.start(), await cluster.start()];
    const names = Array.from({ length: 20 }, (_, i) => `f${i}`);
    for (const one of [worker, other]) for (const name of names) await one.put(name, 'bytes');
    const lookup = { paths: [root + 'f1'] };
    const listed = async (one: InProcessWorker) =>
      (await one.ask<{ entries: unknown[] }>(`/v1/entries?owner=${other.workerId}`)).body.entries.length;
    expect(await status(worker, 'f1')).toBe(200);
    expect(await listed(worker)).toBeGreaterThan(0);
    expect((await worker.ask('/v1/lookup', lookup)).body).toMatchObject({ entries: [[5, 'v1']] });

    cluster.namespace(unmounted);
    for (const name of ['f1', 'f2', 'never-loaded']) {
      for (const more of ['', '&cachedOnly=true', '&redirect=false']) {
        expect(await status(worker, name, {}, more)).toBe(404);
        expect(await status(worker, name, { method: 'HEAD' }, more)).toBe(404);
        expect(await status(worker, name, { headers: { range: 'bytes=1-2' } }, more)).toBe(404);
        expect(await status(worker, name, { headers: { 'if-none-match': '"v1"' } }, more)).toBe(404);
      }
    }
    expect(await listed(worker)).toBe(0);
    expect((await worker.ask('/v1/lookup', lookup)).body).toMatchObject({ entries: [null] });
    expect(cluster.s3.requests).toEqual([]);
    expect(worker.names()).toHaveLength(20);

    cluster.mount();
    expect(await status(worker, 'f1')).toBe(200);
    expect(await listed(worker)).toBeGreaterThan(0);
  });

  it('is neither fetched from peers nor pruned by a rebalance', async () => {
    const one = await cluster.start();
    for (let i = 0; i < 20; i++) await one.put(`f${i}`, 'bytes');
    const added = await cluster.start();
    // The peer has not heard of it yet, and lists what it holds.
    cluster.namespace(unmounted, [added]);
    expect((await added.rebalance('main')).counts).toMatchObject({ filesLoaded: 0, filesFailed: 0, passesDone: 1 });
    cluster.namespace(unmounted, [one]);
    expect((await added.rebalance('main')).counts).toMatchObject({ filesLoaded: 0, filesFailed: 0, passesDone: 1 });
    expect((await one.rebalance('prune')).counts).toMatchObject({ filesPruned: 0 });
    expect(one.names()).toHaveLength(20);
    expect(added.names()).toEqual([]);
  });

  it('cannot be told before the mount table has been read: 503, neither data nor "not there"', async () => {
    const worker = await cluster.start({ hasRead: false });
    await worker.put('f', 'bytes');
    for (const method of ['GET', 'HEAD']) {
      const answer = await fetch(worker.url(`${root}f`), { method });
      expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '1']);
    }
    expect((await worker.ask('/v1/lookup', { paths: [`${root}f`] })).status).toBe(503);
    expect((await worker.ask('/v1/entries?owner=worker-1')).status).toBe(503);
    await worker.services.noteRead();
    expect(await status(worker, 'f')).toBe(200);
  });

  it('is not kept by a download whose mount goes away, and later readers do not join that download', async () => {
    const worker = await cluster.start();
    const bytes = Buffer.alloc(8 * 2 ** 20, 'x');
    await cluster.s3.put('bucket', 'large', bytes);
    const early = await fetch(worker.url(`${root}large`));
    cluster.namespace(unmounted);
    expect(await status(worker, 'large')).toBe(404);
    cluster.mount();
    // Removing a mount breaks off its transfers, so that the reader sees that the object is not whole.
    await expect(early.arrayBuffer()).rejects.toThrow('terminated');
    await worker.services.passive.stop();
    expect(worker.cache.get(`${root}large`)).toBeUndefined();
  });
});
