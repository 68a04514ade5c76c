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

    /** Loads, and holds what the job says against what is there. Answers its progress. */
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

    /** How many of the size fit, less what the index and a few notes take. */
    const fitting = (sizeBytes: number, leftBytes = diskBytes) => Math.floor((leftBytes * 0.93) / sizeBytes);

    test('loads as many large files as fit, again and again, and the rest fail with the disk as the reason', async () => {
      const files = await s3.bucket(cluster, 'much', keys(60), 2 * MB);
      for (const options of [{}, {}, {}, { skipIfExists: true }]) {
        const done = await load('/much', files, options);
        expect(done.state).toBe('FAILED');
        expect(done.loadedFiles + done.skippedFiles).toBeGreaterThanOrEqual(fitting(2 * MB));
        expect(freeBytesOf(cluster)).toBeLessThan(diskBytes * 0.07);
      }
    });

    test('loads as many small files as fit, which share files of the cache', async () => {
      const files = await s3.bucket(cluster, 'small', keys(1200), 100_000);
      for (let round = 0; round < 3; round++) {
        const { loadedFiles } = await load('/small', files, { batchSize: 100 });
        // Room for one of the shared files stays free, so that they can be put in order.
        expect(loadedFiles).toBeGreaterThanOrEqual(fitting(100_000, 0.97 * diskBytes));
      }
    });

    test('makes room for a file that fits once others have gone, and none for one that never can', async () => {
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

    test('shares the disk with other programs, also when they take it while a load is under way', async () => {
      const ballast = join(cacheDirOf(cluster), 'ballast');
      const files = await s3.bucket(cluster, 'shared', keys(60), 2 * MB);
      // Every file has been let in against what is free at first; then that is no longer true.
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

    test('says at the start that its capacity exceeds the disk, and what it has', async () => {
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
