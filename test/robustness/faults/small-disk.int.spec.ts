import { readdirSync } from 'node:fs';
import { clusterSuite, eventually, expectCacheEqualsSource, keys, sizeOf } from '#testing';
import { expectCountsToAddUp } from '../../cluster/support/counts.js';

const MiB = 1024 * 1024;

clusterSuite(
  'a worker whose file system is smaller than its cache may be',
  {
    workers: 1,
    // A file that finds no room is tried as often as usual, with short pauses between.
    env: { LARDER_CACHE_BYTES: '1GiB', LARDER_RETRY_BASE_MS: '20', LARDER_RETRY_MAX_MS: '100' },
  },
  ({ cluster, s3 }) => {
    it(
      'fault 7: ENOSPC during a load fails the affected files with the reason, and the worker keeps running and leaves no partial file',
      () =>
        cluster.watch(async () => {
          const [worker] = cluster.workers;
          await worker.process.kill9();
          expect((await cluster.api.request('DELETE', `/nodes?id=${worker.id}`)).status).toBe(200);
          // The process has a mount namespace of its own: the file system ends with the process. This needs root or an
          // unprivileged user namespace. Without either, this test must fail: to skip it would hide a gap.
          const unshare = ['unshare', '--mount', ...(process.getuid?.() === 0 ? [] : ['--map-root-user'])];
          const script = 'mount -t tmpfs -o size=24m tmpfs "$0" && exec "$@"';
          worker.process.wrapper = [...unshare, 'sh', '-c', script, worker.cacheDir];
          await worker.process.start();
          await cluster.untilOnline(1);
          const { pid } = worker.process;

          const files = await s3.bucket(cluster, 'too-much', keys(60), MiB);
          const id = await cluster.api.load({ paths: ['/too-much'] });
          const done = await cluster.api.waitForJob(id);
          expect(done.state).toBe('FAILED');
          expect(done.loadedFiles).toBeGreaterThan(3);
          expect(done.failedFiles).toBeGreaterThan(20);
          expectCountsToAddUp(done, { files: 60, bytes: sizeOf(files) });
          const failures = await cluster.api.failedFiles(id);
          expect(failures).toHaveLength(done.failedFiles);
          for (const { reason } of failures) expect(reason).toMatch(/full|space|room/i);
          const failed = new Set(failures.map(({ path }) => path));
          await expectCacheEqualsSource(
            cluster,
            files.filter(({ path }) => !failed.has(path)),
          );
          // The path as seen from within its namespace.
          const cacheDir = `/proc/${pid}/root${worker.cacheDir}`;
          expect(readdirSync(`${cacheDir}/tmp`)).toEqual([]);

          // The same process continues as soon as the disk has room.
          await cluster.api.request('POST', '/free', { body: { paths: ['/too-much'], options: { sync: true } } });
          const later = await s3.bucket(cluster, 'enough', keys(5), MiB);
          const next = await eventually('there is room again', async () => {
            const progress = await cluster.api.waitForJob(await cluster.api.load({ paths: ['/enough'] }));
            return progress.state === 'SUCCEEDED' && progress;
          });
          expect(next.loadedFiles + next.skippedFiles).toBe(5);
          await expectCacheEqualsSource(cluster, later, { others: 'any' });
          expect(worker.process.pid).toBe(pid);
        }),
      120_000,
    );
  },
);
