import { clusterSuite, eventually, keys, type SourceFile } from '#testing';
import { expectCountsToAddUp } from '../support/counts.js';
import { bytesOf, call, heldByAny, jobEnd, pathsOf, quotaAt, readThrough, runJob, untilUsed } from './support/calls.js';

const exceeded = (path: string) => new RegExp(`the quota of ${path} \\(\\d+ bytes\\) would be exceeded`);

clusterSuite(
  'quotas, on two coordinators and two workers',
  { coordinators: 2, env: { LARDER_HEARTBEAT_MS: '250' } },
  ({ cluster, s3, test }) => {
    const setQuota = (path: string, quotaBytes: number) => call(cluster.api, 'POST', '/quota', { path, quotaBytes });
    const load = (paths: string[], options = {}) => runJob(cluster.api, 'load', { paths, options });
    const progressOf = (id: string) => cluster.api.progress(id);

    /** An index file in the bucket that names these files. */
    async function indexOf(bucket: string, name: string, files: readonly SourceFile[]): Promise<string> {
      await s3.put(bucket, name, Buffer.from(pathsOf(files).join('\n')));
      return `s3://${bucket}/${name}`;
    }

    /** Polls a quota through both coordinators until `stop`. The used bytes must never exceed the quota. */
    function watchQuota(path: string): { stop: () => Promise<number> } {
      let running = true;
      let polls = 0;
      const poll = async () => {
        for (; running; polls++) {
          for (const { api } of cluster.coordinators) {
            const quota = await quotaAt(api, path);
            if (quota.usedBytes > quota.quotaBytes) throw new Error(`poll ${polls}: ${JSON.stringify(quota)}`);
          }
          await new Promise((resolve) => setImmediate(resolve));
        }
      };
      const polling = poll();
      // `stop` reports a rejection. This handler only prevents an unhandled one before that.
      polling.catch(() => undefined);
      return {
        stop: async () => {
          running = false;
          await polling;
          return polls;
        },
      };
    }

    test('every quota above a file applies: a walk beyond the inner one loads no byte', async () => {
      const files = await s3.bucket(cluster, 'nested', [...keys(30, 'inner'), ...keys(40, 'rest')]);
      await setQuota('/nested', 70_000);
      await setQuota('/nested/inner', 20_000);
      const whole = await load(['/nested']);
      expect(whole).toMatchObject({ state: 'FAILED', loadedFiles: 0, loadedBytes: 0 });
      expect(whole.quotaCheckError).toMatch(exceeded('/nested/inner'));
      expect(whole.errorMessage.message).toMatch(exceeded('/nested/inner'));
      expect(s3.reads('nested')).toEqual([]);

      // The outer quota is full although the inner one has room.
      await setQuota('/nested', 60_000);
      expect(await load(['/nested/rest'])).toMatchObject({ state: 'SUCCEEDED', loadedFiles: 40, quotaCheckError: '' });
      await untilUsed(cluster, '/nested', 40_000);
      await untilUsed(cluster, '/nested/inner', 0);
      await setQuota('/nested/inner', 30_000);
      const inner = await load(['/nested/inner']);
      expect(inner).toMatchObject({ state: 'FAILED', loadedFiles: 0 });
      expect(inner.quotaCheckError).toMatch(exceeded('/nested'));
      await setQuota('/nested', 70_000);
      expect(await load(['/nested/inner'])).toMatchObject({ state: 'SUCCEEDED', loadedFiles: 30 });
      await untilUsed(cluster, '/nested', 70_000);
      await untilUsed(cluster, '/nested/inner', 30_000);
      expect(await heldByAny(cluster, pathsOf(files))).toEqual(new Set(pathsOf(files)));
    });

    test('each copy counts: two replicas need twice the room', async () => {
      await s3.bucket(cluster, 'twice', keys(10));
      await setQuota('/twice', 19_999);
      const done = await load(['/twice'], { replicas: 2 });
      expect(done).toMatchObject({ state: 'FAILED', loadedFiles: 0 });
      expect(done.quotaCheckError).toMatch(exceeded('/twice'));
      await setQuota('/twice', 20_000);
      expect(await load(['/twice'], { replicas: 2 })).toMatchObject({ state: 'SUCCEEDED', loadedFiles: 10 });
      await untilUsed(cluster, '/twice', 20_000);
    });

    test('two concurrent loads through two coordinators stay within a quota that has room for one', async () => {
      const files = await s3.bucket(cluster, 'race', [...keys(40, 'a'), ...keys(40, 'b')], 10_000);
      await setQuota('/race', 500_000);
      const gate = s3.hold('race', 10);
      const watch = watchQuota('/race');
      const ids = await Promise.all([
        cluster.coordinators[0].api.load({ paths: ['/race/a'] }),
        cluster.coordinators[1].api.load({ paths: ['/race/b'] }),
      ]);
      await gate.reached;
      gate.open();
      const done = await Promise.all(ids.map((id) => jobEnd(cluster.api, 'load', id)));
      expect(await watch.stop()).toBeGreaterThan(0);
      expect(done.map(({ state }) => state)).toContain('FAILED');
      for (const job of done) {
        const progress = await progressOf(job.id);
        expectCountsToAddUp(progress, { files: progress.scannedFiles });
        if (job.state === 'SUCCEEDED') continue;
        expect(job.quotaCheckError).toMatch(exceeded('/race'));
        expect(job.errorMessage.message).toMatch(exceeded('/race'));
        const failures = await cluster.api.failedFiles(job.id);
        expect(failures).toHaveLength(progress.failedFiles);
        for (const { reason } of failures) expect(reason).toMatch(exceeded('/race'));
      }
      const held = await heldByAny(cluster, pathsOf(files));
      expect(held.size).toBe(done.reduce((sum, { loadedFiles }) => sum + Number(loadedFiles), 0));
      expect(held.size).toBeLessThanOrEqual(50);
      await untilUsed(cluster, '/race', held.size * 10_000);
    });

    test('two concurrent loads of index files fill the quota exactly', async () => {
      const files = await s3.bucket(cluster, 'indexes', [...keys(40, 'a'), ...keys(40, 'b')], 10_000);
      const [a, b] = [files.slice(0, 40), files.slice(40)];
      await setQuota('/indexes', 500_000);
      const indexes = [await indexOf('indexes', 'a.txt', a), await indexOf('indexes', 'b.txt', b)];
      const watch = watchQuota('/indexes');
      const ids = await Promise.all(indexes.map((index, i) => cluster.coordinators[i].api.load({ index })));
      const done = await Promise.all(ids.map((id) => jobEnd(cluster.api, 'load', id)));
      await watch.stop();
      for (const { id } of done) expectCountsToAddUp(await progressOf(id), { files: 40 });
      expect(done.map(({ state }) => state)).toContain('FAILED');
      expect(done.reduce((sum, { loadedFiles }) => sum + Number(loadedFiles), 0)).toBe(50);
      await untilUsed(cluster, '/indexes', 500_000);
    });

    test('a load of an index file adds nothing beyond a full quota, loads the rest and counts exactly', async () => {
      const files = await s3.bucket(cluster, 'stops', [...keys(30, 'tight'), ...keys(30, 'free')]);
      await setQuota('/stops/tight', 12_345);
      const index = await indexOf('stops', 'index.txt', files);
      const done = await runJob(cluster.api, 'load', { index });
      expect(done).toMatchObject({ state: 'FAILED', scannedFiles: 60, loadedFiles: 42, failedFiles: 18 });
      expect(done.quotaCheckError).toMatch(exceeded('/stops/tight'));
      expectCountsToAddUp(await progressOf(done.id), { files: 60 });
      const failures = await cluster.api.failedFiles(done.id);
      expect(failures).toHaveLength(18);
      for (const { path, reason } of failures) {
        expect(path).toMatch(/^s3:\/\/stops\/tight\//);
        expect(reason).toMatch(exceeded('/stops/tight'));
      }
      const failed = new Set(failures.map(({ path }) => path));
      const expected = pathsOf(files).filter((path) => !failed.has(path));
      expect(await heldByAny(cluster, pathsOf(files))).toEqual(new Set(expected));
      await untilUsed(cluster, '/stops/tight', 12_000);
    });

    test('cached files can be loaded again at a full quota, by walk and by index file', async () => {
      const files = await s3.bucket(cluster, 'full', keys(25));
      await setQuota('/full', bytesOf(files));
      expect(await load(['/full'])).toMatchObject({ state: 'SUCCEEDED', loadedFiles: 25 });
      await untilUsed(cluster, '/full', 25_000);
      for (const skipIfExists of [false, true]) {
        const again = await load(['/full'], { skipIfExists });
        expect(again).toMatchObject({ state: 'SUCCEEDED', quotaCheckError: '', failedFiles: 0 });
        expectCountsToAddUp(await progressOf(again.id), { files: 25, bytes: 25_000 });
      }
      const index = await indexOf('full', 'index.txt', files);
      expect(await runJob(cluster.api, 'load', { index })).toMatchObject({ state: 'SUCCEEDED', failedFiles: 0 });
      await untilUsed(cluster, '/full', 25_000);
      expect(await quotaAt(cluster.api, '/full')).toMatchObject({ state: 'Available', quotaBytes: 25_000 });
    });

    test('passive caching never exceeds a quota, and readers still get every byte', async () => {
      const files = await s3.bucket(cluster, 'readers', keys(30), 3000);
      await setQuota('/readers', 10_000);
      const watch = watchQuota('/readers');
      const readAll = () =>
        Promise.all(files.map((file, i) => readThrough(cluster.workers[i % cluster.workers.length], file.path)));
      for (let round = 0; round < 3; round++) {
        const answers = await readAll();
        expect(answers).toEqual(files.map(({ sha256 }) => ({ status: 200, sha256 })));
        const held = await heldByAny(cluster, pathsOf(files));
        expect(held.size).toBeLessThanOrEqual(3);
      }
      const held = await heldByAny(cluster, pathsOf(files));
      expect(held.size).toBeGreaterThan(0);
      await untilUsed(cluster, '/readers', held.size * 3000);
      await watch.stop();
    });

    test('the usage is right after kill -9 of every worker and of a coordinator', async () => {
      const files = await s3.bucket(cluster, 'kept', keys(40), 2000);
      await setQuota('/kept', 90_000);
      expect(await load(['/kept'])).toMatchObject({ state: 'SUCCEEDED' });
      await untilUsed(cluster, '/kept', bytesOf(files));
      for (const { process } of cluster.workers) await process.kill9();
      await Promise.all(cluster.workers.map(({ process }) => process.start()));
      await cluster.coordinators[1].process.restart();
      for (const worker of cluster.workers) await cluster.untilListed(worker);
      await untilUsed(cluster, '/kept', bytesOf(files));

      await Promise.all(keys(10, 'more').map((key) => s3.put('kept', key, Buffer.alloc(2000, key))));
      const more = await load(['/kept/more']);
      expect(more).toMatchObject({ state: 'FAILED', loadedFiles: 0 });
      expect(more.quotaCheckError).toMatch(exceeded('/kept'));
      await runJob(cluster.api, 'free', { paths: ['/kept'] });
      await untilUsed(cluster, '/kept', 0);
    });

    test('a lowered quota evicts cached files by priority until it holds, and all of them at 0', async () => {
      await s3.bucket(cluster, 'lowered', [...keys(20, 'low'), ...keys(20, 'high')], 500);
      await call(cluster.api, 'POST', '/priority', { path: '/lowered/low', priority: 'low' });
      expect(await load(['/lowered'], { replicas: 2 })).toMatchObject({ state: 'SUCCEEDED', loadedFiles: 40 });
      const index = async () => {
        const { results } = await call<{ results: string[] }>(cluster.api, 'GET', '/file_index');
        return results.filter((path) => path.startsWith('s3://lowered/'));
      };
      const until = (what: string, bytes: number) =>
        eventually(what, async () => ((await quotaAt(cluster.api, '/lowered')).usedBytes <= bytes ? true : undefined));
      await setQuota('/lowered', 25_000);
      await until('25 kB are left', 25_000);
      expect((await index()).filter((path) => path.startsWith('s3://lowered/high/'))).toHaveLength(20);
      expect(await quotaAt(cluster.api, '/lowered')).toMatchObject({ state: 'Available', usedBytes: 25_000 });
      await setQuota('/lowered', 5_250);
      await until('a quarter of that is left', 5_250);
      expect((await index()).filter((path) => path.startsWith('s3://lowered/low/'))).toEqual([]);
      await setQuota('/lowered', 0);
      await until('nothing is left', 0);
      expect(await index()).toEqual([]);
      expect(await load(['/lowered'])).toMatchObject({ state: 'FAILED', loadedFiles: 0 });
      await call(cluster.api, 'DELETE', '/quota', { path: '/lowered' });
      expect(await load(['/lowered'])).toMatchObject({ state: 'SUCCEEDED', loadedFiles: 40 });
    });

    test('a quota that is lowered during a load evicts its files only after the load has ended', async () => {
      const files = await s3.bucket(cluster, 'midway', keys(40), 500);
      const gate = s3.hold('midway', 20);
      await call(cluster.api, 'POST', '/quota', { path: '/midway', quotaBytes: 40_000 });
      const id = await cluster.api.load({ paths: ['/midway'], options: { batchSize: 5 } });
      await gate.reached;
      await setQuota('/midway', 2_000);
      gate.open();
      const done = await cluster.api.waitForJob(id);
      expect(done).toMatchObject({ state: 'SUCCEEDED', loadedFiles: files.length });
      await eventually('the quota holds', async () =>
        (await quotaAt(cluster.api, '/midway')).usedBytes <= 2_000 ? true : undefined,
      );
    });
  },
);
