import { readdirSync } from 'node:fs';
import { expectCacheEqualsSource, startCluster, type LoadProgress, type SourceFile, type TestCluster } from '#testing';
import { expectCountsToAddUp } from '../../integration/counts.js';
import { keys, S3Lab, sizeOf } from '../../integration/s3-lab.js';
import { freeBytesOf, onSmallDisk } from './support/small-disk-worker.js';

const MB = 1_000_000;
const MiB = 1024 * 1024;
const diskBytes = 90 * MiB;

describe('a worker on a full disk', () => {
  let cluster: TestCluster;
  let lab: S3Lab;

  beforeEach(async () => {
    lab = await S3Lab.start();
    cluster = await startCluster({ workers: 1 });
    await onSmallDisk(cluster, diskBytes);
  }, 120_000);

  afterEach(async () => {
    await cluster?.dispose();
    await lab?.stop();
  });

  const test = (name: string, body: () => Promise<void>) => it(name, () => cluster.watch(body), 120_000);

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
    const { pid } = cluster.workers[0].process;
    expect(readdirSync(`/proc/${pid}/root${cluster.workers[0].cacheDir}/tmp`)).toEqual([]);
    return done;
  }

  test('loads as many large files as fit, again and again, and the rest fail with the disk as the reason', async () => {
    const files = await lab.bucket(cluster, 'much', keys(60), 2 * MB);

    for (const options of [{}, {}, { skipIfExists: true }]) {
      const done = await load('/much', files, options);
      console.log(done.state, done.loadedFiles, done.skippedFiles, done.failedFiles, freeBytesOf(cluster));
    }
  });
});
