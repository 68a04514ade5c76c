import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { clusterSuite, content, expectCacheEqualsSource, FileTree, keys, oddNames, sha256, sizeOf } from '#testing';
import { expectCountsToAddUp, expectProgressToGrow } from '../support/counts.js';

const MiB = 1024 * 1024;

clusterSuite('load', { testTimeoutMs: 60_000 }, ({ cluster, s3, test }) => {
  let scratch: string;
  let tree: FileTree;

  beforeAll(async () => {
    scratch = mkdtempSync(join(tmpdir(), 'larder-load-'));
    tree = FileTree.create(join(scratch, 'tree'), {
      seed: 1,
      smallFiles: 20_000,
      smallMaxBytes: 2048,
      largeFiles: [64 * MiB, 32 * MiB, 20 * MiB],
      withOddNames: true,
    });
    const { mountOptions } = await cluster.startS3({ tree: tree.directory });
    await cluster.api.mount('/files', `file://${scratch}/`);
    await cluster.api.mount('/objects', 's3://tree/', mountOptions);
  }, 120_000);

  afterAll(() => rmSync(scratch, { recursive: true, force: true }));

  test('fault 20: loads 20,000 small files, large files and odd names from file:// byte for byte', async () => {
    const id = await cluster.api.load({ paths: ['/files/tree'] });
    const done = await cluster.api.waitForJob(id, { timeoutMs: 120_000, seen: expectProgressToGrow() });
    expect(done).toMatchObject({ state: 'SUCCEEDED', errorMessage: {}, loadedFiles: tree.fileCount });
    expectCountsToAddUp(done, { files: tree.fileCount, bytes: tree.totalBytes });
    await expectCacheEqualsSource(cluster, tree.below(tree.fileRoot));
  }, 180_000);

  test('fault 20: loads 20,000 small files, large files and odd names from s3:// byte for byte', async () => {
    const id = await cluster.api.load({ paths: ['s3://tree/'] });
    const done = await cluster.api.waitForJob(id, { timeoutMs: 120_000, seen: expectProgressToGrow() });
    expect(done).toMatchObject({ state: 'SUCCEEDED', errorMessage: {}, loadedFiles: tree.fileCount });
    expectCountsToAddUp(done, { files: tree.fileCount, bytes: tree.totalBytes });
    await expectCacheEqualsSource(cluster, tree.below('s3://tree/'), { others: tree.fileCount });
  }, 180_000);

  test('a second load with skipIfExists is a new job and skips every file', async () => {
    const again = { paths: ['/files/tree'], options: { skipIfExists: true } };
    const done = await cluster.api.waitForJob(await cluster.api.load(again));
    expect(done).toMatchObject({ state: 'SUCCEEDED', loadedFiles: 0, loadedBytes: 0, skippedFiles: tree.fileCount });
    expect(done.skippedBytes).toBe(tree.totalBytes);
    expectCountsToAddUp(done, { files: tree.fileCount, bytes: tree.totalBytes });
  });

  test('a second load without skipIfExists loads again, and so brings changed files', async () => {
    const files = await s3.bucket(cluster, 'again', keys(20));
    const first = await cluster.api.load({ paths: ['/again'] });
    await cluster.api.waitForJob(first);
    files[3] = await s3.put('again', keys(20)[3], content('changed', 700));

    const second = await cluster.api.load({ paths: ['/again'] });
    expect(second).not.toBe(first);
    const done = await cluster.api.waitForJob(second);
    expect(done).toMatchObject({ state: 'SUCCEEDED', loadedFiles: 20, skippedFiles: 0 });
    expectCountsToAddUp(done, { files: 20, bytes: sizeOf(files) });
    expect(s3.reads('again')).toHaveLength(40);
    await expectCacheEqualsSource(cluster, files, { others: 'any' });
  });

  test('skipIfExists loads only files that have changed', async () => {
    const files = await s3.bucket(cluster, 'changed', keys(20));
    await cluster.api.waitForJob(await cluster.api.load({ paths: ['/changed'] }));
    files[7] = await s3.put('changed', keys(20)[7], content('changed', 1000));

    const again = { paths: ['/changed'], options: { skipIfExists: true } };
    const done = await cluster.api.waitForJob(await cluster.api.load(again));
    expect(done).toMatchObject({ state: 'SUCCEEDED', loadedFiles: 1, skippedFiles: 19 });
    await expectCacheEqualsSource(cluster, files, { others: 'any' });
  });

  test('verify reads the listing again and reloads files that have changed since', async () => {
    const files = await s3.bucket(cluster, 'verified', keys(30));
    let listings = 0;
    s3.faults.set('verified', ({ operation }) => {
      // Between the passes, the loaded files change in the bucket.
      if (operation === 'ListObjectsV2' && ++listings === 2) {
        void s3.server.put('verified', keys(30)[5], content('new', 1234));
      }
      return undefined;
    });
    const id = await cluster.api.load({ paths: ['/verified'], options: { verify: true } });
    const done = await cluster.api.waitForJob(id, { seen: expectProgressToGrow() });
    expect(done).toMatchObject({ state: 'SUCCEEDED', loadedFiles: 30, verifiedFiles: 29, repairedFiles: 1 });
    const bytes = content('new', 1234);
    files[5] = { ...files[5], sizeBytes: bytes.length, sha256: sha256(bytes) };
    await expectCacheEqualsSource(cluster, files, { others: 'any' });
  });

  test('the filter works in both spellings, and the filtered files are counted', async () => {
    const files = await s3.bucket(cluster, 'filtered', [
      ...keys(10, 'a.parquet'),
      'x.tmp',
      'sub/y.parquet',
      'z.parquet',
    ]);
    for (const name of ['fileFilterRegex', 'fileFilterRegx']) {
      const id = await cluster.api.load({ paths: ['/filtered'], options: { [name]: '.*\\.parquet' } });
      const done = await cluster.api.waitForJob(id);
      expect(done).toMatchObject({ state: 'SUCCEEDED', scannedFiles: 13, filteredFiles: 11, loadedFiles: 2 });
      expectCountsToAddUp(done, { files: 13, bytes: 2000 });
    }
    await expectCacheEqualsSource(cluster, files.slice(11), { others: 'any' });
    expect(await cluster.readObject('s3://filtered/x.tmp')).toBeUndefined();
  });

  test('replicas: 2 puts each file on two workers and counts it once', async () => {
    const files = await s3.bucket(cluster, 'replicated', keys(300));
    const id = await cluster.api.load({ paths: ['/replicated'], options: { replicas: 2 } });
    const done = await cluster.api.waitForJob(id, { seen: expectProgressToGrow() });
    expect(done).toMatchObject({
      state: 'SUCCEEDED',
      loadedFiles: 300,
      replicaFilesLoaded: 300,
      replicaFilesFailed: 0,
    });
    expectCountsToAddUp(done, { files: 300, bytes: sizeOf(files) });
    await expectCacheEqualsSource(cluster, files, { copies: 2, others: 'any' });
  });

  test('loadMetadataOnly reads no object bytes', async () => {
    const [file] = await s3.bucket(cluster, 'metadata', keys(50));
    const id = await cluster.api.load({ paths: ['/metadata'], options: { loadMetadataOnly: true } });
    const done = await cluster.api.waitForJob(id);
    expect(done).toMatchObject({ state: 'SUCCEEDED', loadedFiles: 50, loadedBytes: 0, failedFiles: 0 });
    expectCountsToAddUp(done, { files: 50, bytes: 0 });
    expect(s3.reads('metadata')).toHaveLength(0);
    expect(await cluster.readObject(file.path)).toBeUndefined();
  });

  test('bandwidth limits every worker to this many bytes per second', async () => {
    const files = await s3.bucket(cluster, 'limited', keys(96), 64 * 1024);
    const bandwidth = 1024 * 1024;
    const id = await cluster.api.load({ paths: ['/limited'], options: { bandwidth } });
    const done = await cluster.api.waitForJob(id);
    expect(done).toMatchObject({ state: 'SUCCEEDED', loadedFiles: 96, bandwidth });
    // Two workers that run at their limit all the time need this long. The margin is for the timers.
    const leastMs = (1000 * sizeOf(files)) / (cluster.workers.length * bandwidth);
    expect(done.timeElapsedMilliseconds).toBeGreaterThan(0.8 * leastMs);
  });

  test('sync returns the full progress when the job has ended', async () => {
    await s3.bucket(cluster, 'sync', keys(10));
    const { status, body } = await cluster.api.postLoad({ paths: ['/sync'], options: { sync: true } });
    expect(status).toBe(200);
    expect(body).toMatchObject({ state: 'SUCCEEDED', loadedFiles: 10, scannedFiles: 10 });
  });

  test('a missing path fails by name, and an empty directory succeeds with a message', async () => {
    mkdirSync(join(scratch, 'empty'));
    const missing = await cluster.api.waitForJob(
      await cluster.api.load({ paths: ['/files/tree/odd', '/files/missing'] }),
    );
    expect(missing).toMatchObject({ state: 'FAILED', loadedFiles: oddNames.length, failedFiles: 1 });
    expectCountsToAddUp(missing, { files: oddNames.length + 1 });
    expect((await cluster.api.failedFiles(missing.id)).map(({ path }) => path)).toEqual([`file://${scratch}/missing`]);
    expect(missing.errorMessage.message).toContain('/missing');
    const empty = await cluster.api.waitForJob(await cluster.api.load({ paths: ['/files/empty'] }));
    expect(empty).toMatchObject({ state: 'SUCCEEDED', scannedFiles: 0, loadedFiles: 0 });
    expect(empty.errorMessage.message).toMatch(/nothing was loaded/);
  });

  test('a file that has grown is served in its loaded version, and loaded completely the next time', async () => {
    const file = join(scratch, 'grows');
    writeFileSync(file, content('short', 100));
    await cluster.api.waitForJob(await cluster.api.load({ paths: ['/files/grows'] }));
    writeFileSync(file, content('long', 300_000));
    expect(await cluster.readObject(`file://${file}`)).toEqual(content('short', 100));
    await cluster.api.waitForJob(await cluster.api.load({ paths: ['/files/grows'] }));
    expect(await cluster.readObject(`file://${file}`)).toEqual(content('long', 300_000));
  });
});
