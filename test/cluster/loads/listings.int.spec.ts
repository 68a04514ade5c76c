import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { clusterSuite, expectCacheEqualsSource, keys, type ListingManners, sizeOf } from '#testing';
import { expectCountsToAddUp } from '../support/counts.js';

clusterSuite(
  'loads of stores with unusual listings',
  { s3: { maxKeysPerPage: 50 }, env: { LARDER_RETRY_BASE_MS: '20', LARDER_MAX_ATTEMPTS: '2' }, testTimeoutMs: 60_000 },
  ({ cluster, s3, test }) => {
    let scratch: string;
    /** By bucket. */
    const manners = new Map<string, ListingManners>();

    beforeAll(() => {
      scratch = mkdtempSync(join(tmpdir(), 'larder-listings-'));
      s3.server.listing = ({ bucket }) => manners.get(bucket);
    });

    afterAll(() => rmSync(scratch, { recursive: true, force: true }));

    /** An order unrelated to the byte order. */
    const byEnd = (a: string, b: string): number => {
      const reversed = [a, b].map((key) => [...key].reverse().join(''));
      return reversed[0] < reversed[1] ? -1 : reversed[0] > reversed[1] ? 1 : 0;
    };

    const stores: [string, ListingManners][] = [
      ['own-tokens', { startAfter: 'ignored' }],
      ['v1-answers', { form: 'V1' }],
      ['no-order', { order: byEnd, startAfter: 'compared' }],
      ['gzip', { codings: ['gzip'] }],
    ];
    it.each(stores)(
      '%s: every file is loaded once and verified once',
      async (bucket, how) => {
        const files = await s3.bucket(cluster, bucket, keys(320), 100);
        manners.set(bucket, how);
        const id = await cluster.api.load({ paths: [`/${bucket}`], options: { verify: true } });
        const done = await cluster.api.waitForJob(id);
        expect(done).toMatchObject({ state: 'SUCCEEDED', scannedFiles: 320, loadedFiles: 320, verifiedFiles: 320 });
        expectCountsToAddUp(done, { files: 320, bytes: sizeOf(files) });
        await expectCacheEqualsSource(cluster, files, { others: 'any' });
      },
      60_000,
    );

    test('a repeated page and a repeated key fail the job with a reason', async () => {
      await s3.bucket(cluster, 'again', keys(120), 10);
      manners.set('again', { next: () => 50, freshTokens: true });
      await s3.bucket(cluster, 'twice', keys(20), 10);
      manners.set('twice', { page: (objects) => [...objects, objects[0]] });
      for (const bucket of ['again', 'twice']) {
        const done = await cluster.api.waitForJob(await cluster.api.load({ paths: [`/${bucket}`] }));
        expect(done.state).toBe('FAILED');
        expect(done.errorMessage.message).toMatch(/listing has the key "f\/\d+" twice/);
      }
    });

    test('an unordered walk resumes at the place where it was stopped', async () => {
      const files = await s3.bucket(cluster, 'stopped', keys(3000), 10);
      manners.set('stopped', { order: byEnd, startAfter: 'ignored' });
      const gate = s3.hold('stopped', 100);
      const id = await cluster.api.load({ paths: ['/stopped'], options: { batchSize: 20 } });
      await gate.reached;
      await cluster.api.stopLoad(id);
      gate.open();
      expect((await cluster.api.postLoad({ paths: ['/stopped'], options: { batchSize: 20 } })).status).toBe(409);
      const done = await cluster.api.waitForJob(id);
      expect(done).toMatchObject({ state: 'SUCCEEDED', scannedFiles: 3000, loadedFiles: 3000, failedFiles: 0 });
      await expectCacheEqualsSource(cluster, files, { others: 'any' });
    });

    test('an unreadable object is one failed file, and the rest is loaded', async () => {
      await s3.bucket(cluster, 'percent', ['100%', 'a', 'b', 'dir/c'], 10);
      manners.set('percent', { xml: (xml) => xml.replace('100%25', '100%').replace(/<ETag>.*?<\/ETag>/, '') });
      const done = await cluster.api.waitForJob(await cluster.api.load({ paths: ['/percent'] }));
      expect(done).toMatchObject({ state: 'FAILED', scannedFiles: 4, loadedFiles: 3, failedFiles: 1 });
      const [failure] = await cluster.api.failedFiles(done.id);
      expect(failure).toMatchObject({ path: 's3://percent/100%', attempts: 0 });
      expect(failure?.reason).toMatch(/not URL-encoded/);
    });

    test('a HEAD that returns 200 for a directory does not make it a file', async () => {
      await s3.bucket(cluster, 'heads', ['dir/a', 'dir/b'], 10);
      s3.faults.set('heads', ({ operation, key }) =>
        operation === 'HeadObject' && key === 'dir' ? { kind: 'directory' } : undefined,
      );
      const done = await cluster.api.waitForJob(await cluster.api.load({ paths: ['s3://heads/dir'] }));
      expect(done).toMatchObject({ state: 'SUCCEEDED', scannedFiles: 2, loadedFiles: 2 });
    });

    test('skipped entries of a walk are counted and named, also after the end of the job and in answers about the past', async () => {
      mkdirSync(join(scratch, 'v2'));
      writeFileSync(join(scratch, 'v2/part-0'), 'x');
      mkdirSync(join(scratch, 'current'));
      writeFileSync(join(scratch, 'current/README'), 'r');
      symlinkSync('../v2', join(scratch, 'current/train'));
      execFileSync('mkfifo', [join(scratch, 'current/pipe')]);
      await cluster.api.mount('/tree', `file://${scratch}/`);
      const id = await cluster.api.load({ paths: ['/tree/current'] });
      const done = await cluster.api.waitForJob(id);
      const specialFiles = {
        directoryLinks: { count: 1, examples: [`file://${scratch}/current/train`] },
        fifos: { count: 1, examples: [`file://${scratch}/current/pipe`] },
      };
      expect(done).toMatchObject({ state: 'SUCCEEDED', scannedFiles: 1, loadedFiles: 1, specialFiles });
      expect(done.errorMessage.message).toMatch(/^1 link to a directory was not followed/);
      const { headers } = await cluster.api.request('GET', `/load?id=${id}`);
      const past = await cluster.api.request('GET', `/load?id=${id}&asOf=${String(headers['x-larder-sequence'])}`);
      expect(past.body).toMatchObject({ specialFiles });
      expect(
        (await cluster.api.waitForJob(await cluster.api.load({ paths: ['/tree/v2'] }))) as object,
      ).not.toHaveProperty('specialFiles');
    });
  },
);
