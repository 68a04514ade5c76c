import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { request } from 'undici';
import { clusterSuite, eventually, keys, type SourceFile } from '#testing';
import { expectCountsToAddUp } from '../support/counts.js';
import { call, heldByAny, pathsOf, runJob } from './support/calls.js';

const MiB = 1024 * 1024;

describe('expiry and eviction', () => {
  clusterSuite('time to live, on two workers', { workers: 2 }, ({ cluster, s3, test }) => {
    const setTtl = (path: string, ttlSeconds: number) => call(cluster.api, 'POST', '/ttl', { path, ttlSeconds });
    const load = async (...paths: string[]) =>
      expect(await runJob(cluster.api, 'load', { paths })).toMatchObject({ state: 'SUCCEEDED' });
    const held = (files: readonly SourceFile[]) => heldByAny(cluster, pathsOf(files));

    /**
     * Waits until no worker holds any of the files.
     * @param earliestMs milliseconds since the epoch: each file must stay until then
     */
    async function untilExpired(files: readonly SourceFile[], earliestMs: number): Promise<void> {
      await eventually('the files expire', async () => {
        const left = await held(files);
        // The answer describes a moment before this one.
        if (left.size < files.length) expect(Date.now()).toBeGreaterThanOrEqual(earliestMs);
        return left.size === 0;
      });
    }

    test('the most specific time to live wins, whether it is longer or shorter than the one above', async () => {
      const all = await s3.bucket(cluster, 'specific', [
        ...keys(20, 'brief'),
        ...keys(20, 'brief/but-here'),
        ...keys(20, 'lasting'),
        ...keys(20, 'lasting/but-here'),
      ]);
      const of = (directory: string) => all.filter(({ path }) => path.match(`^s3://specific/${directory}/\\d+$`));
      await setTtl('/specific', 3000);
      await setTtl('/specific/brief', 3);
      await setTtl('/specific/brief/but-here', 3600);
      await setTtl('/specific/lasting/but-here', 3);
      const before = Date.now();
      await load('/specific');
      await untilExpired([...of('brief'), ...of('lasting/but-here')], before + 3000);
      const lasting = [...of('brief/but-here'), ...of('lasting')];
      expect(await held(all)).toEqual(new Set(pathsOf(lasting)));
    });

    test('the time counts from loading, not from the last read', async () => {
      const files = await s3.bucket(cluster, 'read', keys(10));
      await setTtl('/read', 3);
      const before = Date.now();
      await load('/read');
      await eventually('the files expire although they are read', async () => {
        const copies = await Promise.all(files.map(({ path }) => cluster.readCopies(path, 1)));
        const left = copies.filter(({ length }) => length > 0).length;
        if (left < files.length) expect(Date.now()).toBeGreaterThanOrEqual(before + 3000);
        return left === 0;
      });
    });

    test('setting, shortening, lengthening and removing a time to live affect cached files', async () => {
      const names = ['set', 'shortened', 'lengthened', 'removed', 'sentinel'];
      const all = await s3.bucket(
        cluster,
        'changed',
        names.flatMap((name) => keys(8, name)),
      );
      const of = (name: string) => all.filter(({ path }) => path.startsWith(`s3://changed/${name}/`));
      await setTtl('/changed/shortened', 3600);
      for (const name of ['lengthened', 'removed', 'sentinel']) await setTtl(`/changed/${name}`, 6);
      const before = Date.now();
      await load(...names.slice(0, 4).map((name) => `/changed/${name}`));
      await load('/changed/sentinel');
      await call(cluster.api, 'POST', '/ttl', { path: '/changed/lengthened', ttlSeconds: 3600 });
      await call(cluster.api, 'DELETE', '/ttl', { path: '/changed/removed' });
      await setTtl('/changed/set', 1);
      await setTtl('/changed/shortened', 1);
      await untilExpired([...of('set'), ...of('shortened')], before + 1000);
      // This file is loaded after those that stay, under their former value. When it has expired, they would have, too.
      await untilExpired(of('sentinel'), before + 6000);
      expect(await held(all)).toEqual(new Set(pathsOf([...of('lengthened'), ...of('removed')])));
    });

    test('a reader of a large object that expires during the read gets all of it', async () => {
      const [file] = await s3.bucket(cluster, 'large', keys(1), 48 * MiB);
      await load('/large');
      const holders = cluster.workers;
      const answers = await Promise.all(
        holders.map(({ address }) =>
          request(`http://${address}/v1/objects?cachedOnly=true&path=${encodeURIComponent(file.path)}`),
        ),
      );
      const answer = answers.find(({ statusCode }) => statusCode === 200)!;
      for (const other of answers) if (other !== answer) await other.body.dump();
      await once(answer.body, 'readable');
      const hash = createHash('sha256');
      hash.update(answer.body.read() as Buffer);
      await setTtl('/large', 1);
      await untilExpired([file], 0);
      for await (const chunk of answer.body) hash.update(chunk as Buffer);
      expect(hash.digest('hex')).toBe(file.sha256);
    });
  });

  const small = { workers: 1, env: { LARDER_CACHE_BYTES: String(15.5 * MiB) } };
  clusterSuite('priorities, on a worker with room for 15 files', small, ({ cluster, s3, test }) => {
    beforeAll(async () => {
      all = await s3.bucket(
        cluster,
        'tiers',
        ['high', 'medium', 'low', 'new-low', 'new-medium', 'new-high'].flatMap((name) => keys(4, name)),
        MiB,
      );
    });
    beforeEach(async () => {
      await runJob(cluster.api, 'free', { paths: ['/tiers'] });
      const { results } = await call<{ results: { path: string }[] }>(cluster.api, 'GET', '/priority');
      for (const { path } of results) await call(cluster.api, 'DELETE', '/priority', { path });
      await setPriority('high', 'HIGH');
      await setPriority('low', 'LOW');
      await setPriority('new-low', 'LOW');
      await setPriority('new-high', 'HIGH');
    });

    let all: SourceFile[];
    const setPriority = (name: string, priority: string) =>
      call(cluster.api, 'POST', '/priority', { path: `/tiers/${name}`, priority });
    const of = (...names: string[]) =>
      pathsOf(all.filter(({ path }) => names.some((name) => path.startsWith(`s3://tiers/${name}/`))));
    const load = (name: string) => runJob(cluster.api, 'load', { paths: [`/tiers/${name}`] });
    const loadAll = async (...names: string[]) => {
      for (const name of names) expect(await load(name)).toMatchObject({ state: 'SUCCEEDED', loadedFiles: 4 });
    };
    const held = () => heldByAny(cluster, pathsOf(all));

    test('LOW files are evicted before MEDIUM and HIGH ones, even when a HIGH file is the oldest', async () => {
      await loadAll('high', 'medium', 'low');
      await loadAll('new-medium');
      const first = await held();
      expect([...first]).toEqual(expect.arrayContaining(of('high', 'medium', 'new-medium')));
      await loadAll('new-high');
      const second = await held();
      // Every LOW file must go before the first MEDIUM one.
      expect([...second].filter((path) => of('low').includes(path))).toEqual([]);
      expect([...second]).toEqual(expect.arrayContaining(of('high', 'new-high', 'new-medium')));
      expect([...second].filter((path) => of('medium').includes(path)).length).toBeLessThan(4);
    });

    test('a LOW load evicts no files of a higher priority, and its own files fail with the reason', async () => {
      await loadAll('high', 'new-high', 'medium');
      const low = await load('low');
      expect(low.state).toBe('FAILED');
      const progress = await cluster.api.progress(low.id);
      expect(progress.failedFiles).toBeGreaterThan(0);
      expectCountsToAddUp(progress, { files: 4, bytes: 4 * MiB });
      for (const { reason } of await cluster.api.failedFiles(low.id)) expect(reason).toMatch(/no room/i);
      const after = await held();
      expect([...after]).toEqual(expect.arrayContaining(of('high', 'new-high', 'medium')));
      expect([...after].filter((path) => of('low').includes(path))).toHaveLength(progress.loadedFiles);
    });

    test('a changed or removed rule applies from the next eviction on', async () => {
      await loadAll('high', 'new-high', 'medium');
      expect(await load('new-low')).toMatchObject({ state: 'FAILED' });
      await setPriority('medium', 'HIGH');
      await setPriority('new-high', 'low');
      await loadAll('low');
      expect([...(await held())]).toEqual(expect.arrayContaining(of('high', 'medium', 'low')));
      expect([...(await held())].filter((path) => of('new-high').includes(path)).length).toBeLessThan(4);

      // Without its rule the directory is MEDIUM, like the new files. LOW files still go first.
      await call(cluster.api, 'DELETE', '/priority', { path: '/tiers/high' });
      await loadAll('new-medium');
      const without = await held();
      expect([...without]).toEqual(expect.arrayContaining(of('high', 'medium', 'new-medium')));

      // No file is LOW any more, so the oldest MEDIUM files are evicted.
      await setPriority('low', 'HIGH');
      await setPriority('new-high', 'HIGH');
      await setPriority('new-low', 'MEDIUM');
      const raised = of('low', 'new-high').filter((path) => without.has(path));
      expect(await load('new-low')).toMatchObject({ state: 'SUCCEEDED' });
      const last = await held();
      expect([...last]).toEqual(expect.arrayContaining([...of('medium', 'new-low'), ...raised]));
      expect([...last].filter((path) => of('high').includes(path)).length).toBeLessThan(4);
    });
  });
});
