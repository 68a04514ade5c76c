import { until } from '#async';
import { InProcessCluster, root } from '../spec-support/in-process-workers.js';

interface Page {
  entries: { path: string; version: string }[];
  next?: string;
}

describe('the copies API of a worker', () => {
  let cluster: InProcessCluster;
  beforeEach(async () => void (cluster = await InProcessCluster.open()));
  afterEach(() => cluster.close());

  it('looks copies up in the order of the request; metadata alone is no copy', async () => {
    const worker = await cluster.start();
    await worker.put('a', 'aaaa');
    await worker.cache.putMetadata({ path: `${root}m`, version: 'v1' }, 5);
    const paths = [`${root}none`, `${root}a`, `${root}m`, 'x'.repeat(5000)];
    const answer = await worker.ask('/v1/lookup', { paths });
    expect(answer).toMatchObject({ status: 200, body: { entries: [null, [4, 'v1'], null, null] } });
    const many = Array.from({ length: 10_000 }, (_, i) => `${root}${i}`);
    expect((await worker.ask<Page>('/v1/lookup', { paths: many })).body.entries).toHaveLength(10_000);
  });

  it.each([
    ['/v1/lookup', {}, 'paths'],
    ['/v1/lookup', { paths: 'x' }, 'paths'],
    ['/v1/lookup', { paths: [1] }, 'paths.0'],
    ['/v1/lookup', { paths: Array.from({ length: 10_001 }, () => 'x') }, 'paths'],
    ['/v1/clear-stale', { op: 'pause' }, 'op'],
    ['/v1/file-index', { op: 'add', paths: ['no path'] }, 'paths.0'],
    ['/v1/entries', undefined, 'Required parameters not provided'],
    ['/v1/entries?owner=x&limit=1001', undefined, 'limit'],
    ['/v1/entries?owner=x&after=%FF', undefined, 'after'],
  ])('refuses %s %j with an error', async (target, body, text) => {
    const worker = await cluster.start();
    const answer = await worker.ask<{ status: string }>(target, body);
    expect([answer.status, Object.keys(answer.body)]).toEqual([400, ['status']]);
    expect(answer.body.status).toContain(text);
  });

  it('lists the entries that the ring gives to a worker, page by page', async () => {
    const [one, two] = [await cluster.start(), await cluster.start()];
    const names = Array.from({ length: 50 }, (_, i) => `f ${String(i).padStart(2, '0')}+é`);
    for (const name of names) await one.put(name, 'x');
    const { ring, sequence } = one.services.view.members();
    const found: string[] = [];
    let after: string | undefined;
    do {
      const query = new URLSearchParams({ owner: two.workerId, limit: '7', membership: String(sequence) });
      if (after !== undefined) query.set('after', after);
      const { body } = await one.ask<Page>(`/v1/entries?${query.toString()}`);
      found.push(...body.entries.map(({ path }) => path.slice(root.length)));
      after = body.next;
    } while (after !== undefined);
    expect(found).toEqual(names.filter((name) => ring.owners(root + name)[0] === two.workerId));
    expect(found.length).toBeGreaterThan(0);
  });

  it('clears copies that the ring gives to others, and none while the worker is not on the ring itself', async () => {
    const worker = await cluster.start({ joins: false });
    const other = await cluster.start();
    const names = Array.from({ length: 1200 }, (_, i) => `f${i}`);
    await Promise.all(names.map((name) => worker.put(name, 'xx')));
    const clear = async () => {
      expect(await worker.ask('/v1/clear-stale', { op: 'start' })).toEqual({ status: 200, body: {} });
      expect(await worker.ask('/v1/clear-stale', { op: 'start' })).toEqual({ status: 200, body: {} });
      return until(async () => {
        const { body } = await worker.ask<{ running: boolean }>('/v1/clear-stale');
        return body.running ? undefined : body;
      });
    };
    expect(await clear()).toEqual({ running: false, checkedFiles: 1200, clearedFiles: 0, clearedBytes: 0 });
    cluster.join(worker);
    const { ring } = worker.services.view.members();
    const stale = names.filter((name) => ring.owners(root + name)[0] === other.workerId).length;
    const cleared = { running: false, checkedFiles: 1200, clearedFiles: stale, clearedBytes: 2 * stale };
    expect(await clear()).toEqual(cleared);
    expect(worker.names()).toHaveLength(1200 - stale);
    worker.services.clearStale.start();
    expect(await worker.ask('/v1/clear-stale', { op: 'stop' })).toEqual({ status: 200, body: {} });
    expect((await worker.ask<{ running: boolean }>('/v1/clear-stale')).body.running).toBe(false);
  });

  it('keeps a part of the file index', async () => {
    const worker = await cluster.start();
    await worker.put('b', 'x');
    const change = (op: string, names: string[]) =>
      worker.ask('/v1/file-index', { op, paths: names.map((name) => root + name) });
    expect((await change('add', ['a', 'b', 'c'])).body).toEqual({ changed: [true, false, true] });
    expect((await worker.ask('/v1/file-index?limit=2')).body).toEqual({
      files: [`${root}a`, `${root}b`],
      next: `${root}b`,
    });
    expect((await worker.ask(`/v1/file-index?after=${root}b`)).body).toEqual({ files: [`${root}c`] });
    expect((await change('remove', ['a', 'x'])).body).toEqual({ changed: [true, false] });
    const off = await cluster.start({ settings: { LARDER_FILE_INDEX: 'false' } });
    expect((await off.ask('/v1/file-index')).status).toBe(404);
  });
});
