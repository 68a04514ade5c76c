import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { clusterSuite, expectCacheEqualsSource, keys, type LoadProgress, sizeOf, type SourceFile } from '#testing';
import { expectCountsToAddUp } from '../../cluster/support/counts.js';
import { cacheDirOf, freeBytesOf, onSmallDisk } from './support/small-disk-worker.js';

const MB = 1_000_000;
const diskBytes = 90 * 1024 * 1024;

// A file that finds no room is tried as often as usual, with short pauses between.
const env = { LARDER_RETRY_BASE_MS: '20', LARDER_RETRY_MAX_MS: '100' };

clusterSuite(
  'a worker on a full disk',
  { workers: 1, clusterPer: 'test', env, testTimeoutMs: 120_000 },
  ({ cluster, s3, test }) => {
    beforeEach(async () => {
      await onSmallDisk(cluster, diskBytes);
    });

    /** Loads, and compares the report of the job with the cache. @returns the final progress */
    async function load(path: string, files: SourceFile[], options = {}): Promise<LoadProgress> {
      const id = await cluster.api.load({ paths: [path], options });
      const done = await cluster.api.waitForJob(id);
      expectCountsToAddUp(done, { files: files.length, bytes: sizeOf(files) });
      const failures = await cluster.api.failedFiles(id);
      expect(failures).toHaveLength(done.failedFiles);
      for (const { reason } of failures) expect(reason).toMatch(/the disk is full/i);
      const failed = new Set(failures.map((failure) => failure.path));
      const there = files.filter((file) => !failed.has(file.path));
      await expectCacheEqualsSource(cluster, there, { others: 'any' });
      expect(readdirSync(join(cacheDirOf(cluster), 'tmp'))).toEqual([]);
      return done;
    }

    /** How many files of this size fit, without the room for the index and a few small files. */
    const fitting = (sizeBytes: number, leftBytes = diskBytes) => Math.floor((leftBytes * 0.93) / sizeBytes);

    test('loads as many large files as fit in each of several loads, and fails the rest because of the full disk', async () => {
      const files = await s3.bucket(cluster, 'much', keys(60), 2 * MB);
      for (const options of [{}, {}, {}, { skipIfExists: true }]) {
        const done = await load('/much', files, options);
        expect(done.state).toBe('FAILED');
        expect(done.loadedFiles + done.skippedFiles).toBeGreaterThanOrEqual(fitting(2 * MB));
        expect(freeBytesOf(cluster)).toBeLessThan(diskBytes * 0.07);
      }
    });

    test('loads as many small files as fit, which share segments', async () => {
      const files = await s3.bucket(cluster, 'small', keys(1200), 100_000);
      for (let round = 0; round < 3; round++) {
        const { loadedFiles } = await load('/small', files, { batchSize: 100 });
        // The worker keeps room for one segment free, so that it can compact the others.
        expect(loadedFiles).toBeGreaterThanOrEqual(fitting(100_000, 0.97 * diskBytes));
      }
    });

    test('evicts files for a file that then fits, and none for a file larger than the disk', async () => {
      const files = await s3.bucket(cluster, 'others', keys(40), 2 * MB);
      expect(await load('/others', files)).toMatchObject({ state: 'SUCCEEDED', loadedFiles: 40 });
      await s3.bucket(cluster, 'huge', []);
      s3.server.generate('huge', 'huge', 2 * diskBytes, 1);
      const refused = await cluster.api.waitForJob(await cluster.api.load({ paths: ['/huge'] }));
      expect(refused).toMatchObject({ state: 'FAILED', failedFiles: 1 });
      expect(refused.errorMessage.failures?.[0].reason).toMatch(/exceeds the disk/);
      expect(s3.reads('huge')).toHaveLength(0);
      await expectCacheEqualsSource(cluster, files);
      const large = await s3.bucket(cluster, 'large', ['large'], 60 * MB);
      expect(await load('/large', large)).toMatchObject({ state: 'SUCCEEDED', loadedFiles: 1 });
    });

    test('counts exactly when another program fills the disk during a load', async () => {
      const ballast = join(cacheDirOf(cluster), 'ballast');
      const files = await s3.bucket(cluster, 'shared', keys(60), 2 * MB);
      // The worker admits every file by the free room at first. Then the other program takes that room.
      const gate = s3.hold('shared', 0);
      const id = await cluster.api.load({ paths: ['/shared'] });
      await gate.reached;
      writeFileSync(ballast, Buffer.alloc(50 * MB, 1));
      gate.open();
      const done = await cluster.api.waitForJob(id);
      expectCountsToAddUp(done, { files: 60, bytes: sizeOf(files) });
      expect(done.state).toBe('FAILED');
      expect(done.loadedFiles).toBeGreaterThanOrEqual(fitting(2 * MB, diskBytes - 50 * MB) - 2);
      for (const { reason } of await cluster.api.failedFiles(id)) expect(reason).toMatch(/the disk is full/i);
      rmSync(ballast);
      expect((await load('/shared', files)).loadedFiles).toBeGreaterThanOrEqual(fitting(2 * MB));
    });

    test('warns at the start that its capacity exceeds the disk, and reports the size of the disk', async () => {
      const [worker] = cluster.workers;
      const line = worker.process
        .log()
        .split('\n')
        .find((text) => text.includes('exceeds the size of its disk'));
      expect(JSON.parse(line ?? '{}')).toMatchObject({ level: 'warn', diskBytes, capacityBytes: 10 * 2 ** 30 });
      const online = (await cluster.api.nodes()).filter(({ status }) => status === 'ONLINE');
      expect(online[0]).toMatchObject({ capacityBytes: diskBytes });
    });
  },
);
