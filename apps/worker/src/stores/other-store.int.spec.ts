import { S3TestServer } from '#testing';
import { writeFile, rm, readFile } from 'node:fs/promises';
import path from 'node:path';
import { until } from '#async';
import { InProcessCluster, root, type InProcessWorker } from '../spec-support/in-process-workers.js';

const unmounted = { type: 'Unmounted' as const, data: { path: '/data/', ufs: root } };
const names = Array.from({ length: 12 }, (_, i) => `d/f${String(i).padStart(2, '0')}`);

describe('a bucket of the same name at another endpoint', () => {
  let cluster: InProcessCluster;
  const other = new S3TestServer();
  let elsewhere: Record<string, string>;

  beforeEach(async () => {
    cluster = await InProcessCluster.open();
    elsewhere = { 'alluxio.underfs.s3.endpoint': (await other.start()).endpoint };
    other.createBucket('bucket');
    for (const name of names) {
      await cluster.s3.put('bucket', name, Buffer.from('from A'));
      await other.put('bucket', name, Buffer.from('from B, longer'));
    }
    await cluster.s3.put('bucket', 'only-a', Buffer.from('only A has this'));
  });
  afterEach(async () => {
    await cluster.close();
    await other.stop();
  });

  const moveTo = (options: Record<string, string>) => {
    cluster.namespace(unmounted);
    cluster.mount(options);
  };
  const read = async (worker: InProcessWorker, name: string, more = '') => {
    const answer = await fetch(worker.url(root + name, more));
    return answer.status === 200 ? await answer.text() : answer.status;
  };
  const load = async (worker: InProcessWorker, pass: 'main' | 'verify', options = {}, some = names) => {
    const files = some.map((name): [string, number, string] => [name, -1, '']);
    const batchId = `${pass}-${JSON.stringify(options)}-${some.length}-${Math.random()}`;
    return (await worker.execute({ kind: 'load', jobId: batchId, batchId, root, pass, files, options })).counts;
  };
  const indexed = (worker: InProcessWorker) => worker.services.cache.fileIndex.list({ limit: 100 });

  it('is never served with copies of the first over any read path, and has its own copies', async () => {
    const worker = await cluster.start();
    await load(worker, 'main', {}, [...names, 'only-a']);
    expect(await read(worker, 'only-a')).toBe('only A has this');
    moveTo(elsewhere);
    expect(await read(worker, names[0], '&cachedOnly=true')).toBe(404);
    expect(await read(worker, names[0])).toBe('from B, longer');
    expect(await read(worker, 'only-a')).toBe(404);
    // Kept when its reader has it.
    await until(() => (indexed(worker).length > 0 ? true : undefined));
    expect(indexed(worker)).toEqual([root + names[0]]);
    expect(worker.services.cache.usage('s3://bucket')).toEqual({ bytes: 14, objects: 1 });
    // The totals follow the index a moment later.
    await until(() => (worker.services.unmounted.usage().objects === 13 ? true : undefined));
    expect(worker.services.unmounted.usage()).toEqual({ bytes: 12 * 6 + 15, objects: 13 });
  });

  it.each(['main', 'verify'] as const)('counts nothing of the first as cached already: %s', async (pass) => {
    const worker = await cluster.start();
    await load(worker, 'main');
    moveTo(elsewhere);
    const counts = await load(worker, pass, { skipIfExists: true });
    expect(counts).toMatchObject(pass === 'main' ? { loadedFiles: 12, skippedFiles: 0 } : { repairedFiles: 12 });
    expect(await read(worker, names[3], '&cachedOnly=true')).toBe('from B, longer');
    expect(indexed(worker)).toEqual(names.map((name) => root + name));
    expect(await load(worker, pass, { skipIfExists: true })).toMatchObject(
      pass === 'main' ? { skippedFiles: 12 } : { verifiedFiles: 12 },
    );
  });

  it('leaves the copies of the first until it is mounted again, also with other keys', async () => {
    const worker = await cluster.start();
    await load(worker, 'main');
    moveTo(elsewhere);
    await load(worker, 'main');
    moveTo({ 's3a.sessionToken': 'another' });
    const before = cluster.s3.requests.length;
    expect(await read(worker, names[3])).toBe('from A');
    expect(indexed(worker)).toEqual(names.map((name) => root + name));
    expect(cluster.s3.requests).toHaveLength(before);
  });

  it('takes nothing of the first from a peer, whichever of the two workers has not read of the change yet', async () => {
    const one = await cluster.start();
    for (const name of names) await one.put(name, 'from A');
    const added = await cluster.start();
    cluster.namespace(unmounted, [added]);
    const mounted = cluster.mounted(elsewhere);
    cluster.namespace(mounted, [added]);
    expect((await added.rebalance('main')).counts).toMatchObject({ filesLoaded: 0, filesFailed: 0 });
    expect(added.names()).toEqual([]);
    cluster.namespace(unmounted, [one]);
    cluster.namespace(mounted, [one]);
    expect((await added.rebalance('main')).counts).toMatchObject({ filesLoaded: 0, filesFailed: 0 });
    expect((await one.rebalance('prune')).counts).toMatchObject({ filesPruned: 0 });
    expect(one.names()).toHaveLength(12);
  });

  it('is not confirmed by a peer that holds copies of the first', async () => {
    const [one, two] = [await cluster.start(), await cluster.start()];
    for (const worker of [one, two]) for (const name of names) await worker.put(name, 'same');
    cluster.namespace(unmounted, [two]);
    cluster.namespace(cluster.mounted(elsewhere), [two]);
    for (const name of names) await two.put(name, 'same');
    expect((await one.rebalance('prune')).counts).toMatchObject({ filesPruned: 0 });
  });

  it('does not get content of the first that was on its way at the mount', async () => {
    const worker = await cluster.start();
    const bytes = Buffer.alloc(8 * 2 ** 20, 'x');
    await cluster.s3.put('bucket', 'large', bytes);
    await other.put('bucket', 'large', Buffer.from('small'));
    const files: [string, number, string][] = [['large', -1, '']];
    let moved = false;
    worker.onThrottle = () => {
      if (!moved) moveTo(elsewhere);
      moved = true;
    };
    const { counts } = await worker.execute({ kind: 'load', root, files });
    expect(moved).toBe(true);
    expect(await read(worker, 'large', '&cachedOnly=true')).toBe(404);
    expect(await read(worker, 'large')).toBe('small');
    // An attempt that had begun may end; one that begins later has no source.
    const kept = worker.services.unmounted.get(`${root}large`)?.sizeBytes;
    expect(kept).toBe(counts.loadedFiles === 1 ? bytes.length : undefined);
  });

  it('is also distinguished from the first after a restart', async () => {
    const worker = await cluster.start();
    await load(worker, 'main');
    moveTo(elsewhere);
    await load(worker, 'main', {}, names.slice(0, 2));
    const again = await cluster.restart(worker);
    expect(await read(again, names[0], '&cachedOnly=true')).toBe('from B, longer');
    expect(await read(again, names[5], '&cachedOnly=true')).toBe(404);
    expect(again.services.unmounted.usage().objects).toBe(12);
  });

  it('gives up copies of the unmounted store first when space is short, before any priority', async () => {
    const worker = await cluster.start({ capacityBytes: 8 * 2 ** 20 });
    const megabyte = Buffer.alloc(2 ** 20, 'x');
    moveTo(elsewhere);
    for (const name of ['mine', 'mine too']) await worker.put(name, megabyte);
    moveTo({});
    await worker.put('old', megabyte);
    moveTo(elsewhere);
    cluster.namespace({ type: 'PrioritySet', data: { path: '/data', priority: 'low' } });
    await new Promise((resolve) => setImmediate(resolve));
    for (const name of ['1', '2', '3', '4', '5', '6']) await worker.put(name, megabyte);
    expect(worker.services.unmounted.get(`${root}old`)).toBeUndefined();
    expect(worker.services.cache.get(`${root}mine too`)).toBeDefined();
  });

  describe('copies that no mount covers', () => {
    it('can be listed and freed, below a mounted path only when asked for', async () => {
      const worker = await cluster.start();
      await load(worker, 'main');
      moveTo(elsewhere);
      await load(worker, 'main', {}, names.slice(0, 2));
      const free = async (name: string, options = {}) => {
        const batch = { kind: 'free', root, files: [[name, -1, '']] as [string, number, string][] };
        const batchId = `free-${Math.random()}`;
        return (await worker.execute({ ...batch, batchId, options: { recursive: true, batchSize: 5, ...options } }))
          .counts;
      };
      const list = async () => (await worker.ask<{ files: string[] }>('/v1/file-index?unmounted=true&limit=3')).body;
      expect(await list()).toEqual({ files: names.slice(0, 3).map((name) => root + name), next: root + names[2] });
      expect(await free('d')).toMatchObject({ freedFiles: 2, freedBytes: 28 });
      expect(await free('d', { unmounted: true })).toMatchObject({ freedFiles: 12, freedBytes: 72 });
      expect(await list()).toEqual({ files: [] });

      await load(worker, 'main', {}, names.slice(0, 4));
      cluster.namespace(unmounted);
      expect(await free('d')).toMatchObject({ freedFiles: 4 });
      expect(worker.names()).toEqual([]);
    });

    it('expire after the removal of their mount, also across a restart, unless it is mounted again', async () => {
      const settings = { LARDER_UNMOUNTED_KEEP_MS: '3600000' };
      const worker = await cluster.start({ settings });
      await load(worker, 'main');
      cluster.nowMs = () => Date.now() - 3_599_000;
      moveTo(elsewhere);
      cluster.nowMs = () => Date.now();
      await load(worker, 'main', {}, names.slice(0, 2));
      expect(worker.names()).toHaveLength(14);
      const again = await cluster.restart(worker, { settings });
      await until(() => (again.services.unmounted.usage().objects === 0 ? true : undefined));
      expect(await read(again, names[0], '&cachedOnly=true')).toBe('from B, longer');
      expect(again.names()).toHaveLength(2);
    });

    it('stay for ever when that is configured, and are removed at once for 0', async () => {
      const [never, atOnce] = [
        await cluster.start({ settings: { LARDER_UNMOUNTED_KEEP_MS: 'never' } }),
        await cluster.start({ settings: { LARDER_UNMOUNTED_KEEP_MS: '0' } }),
      ];
      cluster.nowMs = () => 0;
      for (const worker of [never, atOnce]) await worker.put('f', 'x');
      cluster.namespace(unmounted);
      await until(() => (atOnce.names().length === 0 ? true : undefined));
      expect(never.names()).toEqual(['f']);
    });
  });

  describe('a cache from a version that did not distinguish stores', () => {
    const forget = (worker: InProcessWorker) => rm(path.join(worker.directory, 'stores.json'));

    it('belongs to the store that is mounted', async () => {
      const worker = await cluster.start();
      await load(worker, 'main');
      const again = await cluster.restart(worker, {}, () => forget(worker));
      expect(await read(again, names[0], '&cachedOnly=true')).toBe('from A');
    });

    it('belongs to the store that was mounted last', async () => {
      const worker = await cluster.start();
      await load(worker, 'main');
      cluster.namespace(unmounted);
      const again = await cluster.restart(worker, {}, () => forget(worker));
      moveTo(elsewhere);
      expect(await read(again, names[0], '&cachedOnly=true')).toBe(404);
      moveTo({});
      expect(await read(again, names[0], '&cachedOnly=true')).toBe('from A');
    });

    it('loses copies that may be of a store that was mounted before', async () => {
      const worker = await cluster.start();
      await worker.put('old', 'from A');
      cluster.nowMs = () => Date.now() + 1_000;
      moveTo(elsewhere);
      // As it was written then: under the path alone, whatever was mounted.
      await worker.cache.put({ path: `${root}new`, version: 'v', loadedAtMs: Date.now() }, Buffer.from('from B'));
      const again = await cluster.restart(worker, {}, () => forget(worker));
      expect(again.names()).toEqual([]);
    });

    it('loses copies with a store number when the list of stores cannot be read', async () => {
      const worker = await cluster.start();
      await load(worker, 'main', {}, names.slice(0, 1));
      moveTo(elsewhere);
      await load(worker, 'main', {}, names.slice(0, 1));
      expect(JSON.parse(await readFile(path.join(worker.directory, 'stores.json'), 'utf8'))).toMatchObject({ v: 1 });
      const damage = () => writeFile(path.join(worker.directory, 'stores.json'), '{');
      const again = await cluster.restart(worker, {}, damage);
      expect(await read(again, names[0], '&cachedOnly=true')).toBe(404);
      expect(await read(again, names[0])).toBe('from B, longer');
    });
  });
});
