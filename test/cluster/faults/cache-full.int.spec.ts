import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { clusterSuite, expectCacheEqualsSource, keys, sizeOf } from '#testing';
import { expectCountsToAddUp } from '../support/counts.js';

clusterSuite(
  'a worker whose cache is smaller than the data',
  { workers: 1, env: { LARDER_CACHE_BYTES: String(16 * 1024 * 1024) }, testTimeoutMs: 60_000 },
  ({ cluster, s3, test }) => {
    test('fault 7: the job fails with the reason, its counts are exact, and the worker lives and goes on', async () => {
      const files = await s3.bucket(cluster, 'much', keys(40), 1024 * 1024);
      const id = await cluster.api.load({ paths: ['/much'] });
      const done = await cluster.api.waitForJob(id);
      expect(done.state).toBe('FAILED');
      expect(done.loadedFiles).toBeGreaterThan(5);
      expect(done.failedFiles).toBeGreaterThan(20);
      expectCountsToAddUp(done, { files: 40, bytes: sizeOf(files) });
      const failures = await cluster.api.failedFiles(id);
      expect(failures).toHaveLength(done.failedFiles);
      for (const { reason } of failures) expect(reason).toMatch(/no room|cache/i);
      // What it says it has loaded it holds, and nothing of the rest.
      const failed = new Set(failures.map(({ path }) => path));
      await expectCacheEqualsSource(
        cluster,
        files.filter(({ path }) => !failed.has(path)),
      );
      expect(readdirSync(join(cluster.workers[0].cacheDir, 'tmp'))).toEqual([]);

      // The next job finds room: what an earlier one has loaded makes way.
      const later = await s3.bucket(cluster, 'later', keys(5), 1024 * 1024);
      const next = await cluster.api.waitForJob(await cluster.api.load({ paths: ['/later'] }));
      expect(next).toMatchObject({ state: 'SUCCEEDED', loadedFiles: 5 });
      await expectCacheEqualsSource(cluster, later, { others: 'any' });
    });

    test('fault 7: an object larger than the cache is refused before a byte of it is read', async () => {
      await s3.bucket(cluster, 'huge', []);
      s3.server.generate('huge', 'huge', 64 * 1024 * 1024, 1);
      const done = await cluster.api.waitForJob(await cluster.api.load({ paths: ['/huge'] }));
      expect(done).toMatchObject({ state: 'FAILED', failedFiles: 1, loadedFiles: 0, scannedFiles: 1 });
      expect(done.errorMessage.failures?.[0].reason).toMatch(/cache/i);
      expect(s3.reads('huge')).toHaveLength(0);
    });
  },
);
