import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { clusterSuite, expectCacheEqualsSource, keys, sizeOf } from '#testing';
import { expectCountsToAddUp } from '../support/counts.js';

clusterSuite(
  'a worker whose cache is smaller than the data',
  { workers: 1, env: { LARDER_CACHE_BYTES: String(16 * 1024 * 1024) }, testTimeoutMs: 60_000 },
  ({ cluster, s3, test }) => {
    test('fault 7: fails the job with the reason and exact counts, and keeps running', async () => {
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
      // The worker holds exactly the files that the job counts as loaded.
      const failed = new Set(failures.map(({ path }) => path));
      await expectCacheEqualsSource(
        cluster,
        files.filter(({ path }) => !failed.has(path)),
      );
      expect(readdirSync(join(cluster.workers[0].cacheDir, 'tmp'))).toEqual([]);

      // The next job finds room: files of an earlier job are evicted.
      const later = await s3.bucket(cluster, 'later', keys(5), 1024 * 1024);
      const next = await cluster.api.waitForJob(await cluster.api.load({ paths: ['/later'] }));
      expect(next).toMatchObject({ state: 'SUCCEEDED', loadedFiles: 5 });
      await expectCacheEqualsSource(cluster, later, { others: 'any' });
    });

    test('fault 7: refuses an object larger than the cache before it reads any byte', async () => {
      await s3.bucket(cluster, 'huge', []);
      s3.server.generate('huge', 'huge', 64 * 1024 * 1024, 1);
      const done = await cluster.api.waitForJob(await cluster.api.load({ paths: ['/huge'] }));
      expect(done).toMatchObject({ state: 'FAILED', failedFiles: 1, loadedFiles: 0, scannedFiles: 1 });
      expect(done.errorMessage.failures?.[0].reason).toMatch(/cache/i);
      expect(s3.reads('huge')).toHaveLength(0);
    });
  },
);
