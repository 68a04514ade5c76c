import { randomBytes } from 'node:crypto';
import { bentStores, S3TestServer, type ValidatorBend } from '#testing';
import { openUfs } from '#ufs';
import { LoadFixture } from './spec-support/load-fixture.js';

const bucket = 'bucket';
const root = `s3://${bucket}/`;
const largeBytes = 400_000;
const atMs = Date.parse('2026-01-01T10:00:00.700Z');

/** The store tells nothing that two versions of one size differ by: whatever is there is loaded again. */
const isBlind = ({ etag, lastModified }: ValidatorBend) =>
  etag?.('"x"', 'list') === undefined &&
  etag !== undefined &&
  lastModified?.(new Date(atMs), 'list') === undefined &&
  lastModified !== undefined;

describe.each(Object.entries(bentStores))('a store with %s', (_name, bend) => {
  let s3: S3TestServer;
  let load: LoadFixture;
  const contents = new Map<string, Buffer>();

  beforeEach(async () => {
    s3 = new S3TestServer({ validators: bend });
    const { endpoint } = await s3.start();
    s3.createBucket(bucket);
    load = await LoadFixture.open(root);
    const { accessKeyId, secretAccessKey } = s3.credentials;
    const options = { endpoint, accessKeyId, secretAccessKey };
    load.connector = openUfs(
      { ufs: root, options },
      { idleTimeoutMs: 2000, connectTimeoutMs: 1000, maxConnections: 2 },
    );
    contents.clear();
    for (const [key, sizeBytes] of [
      ['a', 10],
      ['b/c', 5000],
      ['empty', 0],
      ['large', largeBytes],
    ] as const) {
      await put(key, sizeBytes, 0);
    }
  });
  afterEach(async () => {
    await load.close();
    await s3.stop();
  });

  async function put(key: string, sizeBytes: number, second: number): Promise<void> {
    const bytes = randomBytes(sizeBytes);
    contents.set(key, bytes);
    await s3.put(bucket, key, bytes, new Date(atMs + 1000 * second));
  }
  const run = async (changes: Parameters<LoadFixture['run']>[1] = {}) => load.run(await load.listed(), changes);
  const skipping = (jobId: string) => ({ jobId, options: { skipIfExists: true } });
  const expectContents = async () => {
    for (const [key, bytes] of contents) expect((await load.bytes(key))?.equals(bytes)).toBe(true);
  };
  const noFailures = { failures: [] as unknown[] };

  it('is loaded whole, and its cached files are recognized', async () => {
    expect(await run()).toMatchObject({ counts: { loadedFiles: 4, failedFiles: 0 }, ...noFailures });
    await expectContents();
    const gets = () =>
      s3.requests.filter(({ operation, bytesSent }) => operation === 'GetObject' && bytesSent > 1).length;
    const before = gets();
    for (const jobId of ['job-2', 'job-3']) {
      const again = isBlind(bend) ? { loadedFiles: 4, skippedFiles: 0 } : { loadedFiles: 0, skippedFiles: 4 };
      expect(await run(skipping(jobId))).toMatchObject({ counts: again, ...noFailures });
    }
    if (!isBlind(bend)) expect(gets()).toBe(before);
    const verified = { verifiedFiles: 4, repairedFiles: 0, verifyFailedFiles: 0 };
    for (const jobId of ['job-3', 'job-4']) {
      expect(await run({ ...skipping(jobId), pass: 'verify' })).toMatchObject({ counts: verified, ...noFailures });
    }
    await expectContents();
  });

  it('counts the loaded files when a batch is delivered again', async () => {
    const files = await load.listed();
    for (let delivery = 0; delivery < 2; delivery++) {
      expect((await load.run(files, skipping('job-1'))).counts).toMatchObject({ loadedFiles: 4, skippedFiles: 0 });
    }
  });

  it('shows changes of a file, also without a change of size', async () => {
    await run();
    await put('a', 10, 5);
    await put('large', largeBytes, 5);
    if (!isBlind(bend)) {
      expect((await run(skipping('job-2'))).counts).toMatchObject({ loadedFiles: 2, skippedFiles: 2, failedFiles: 0 });
    } else await run(skipping('job-2'));
    await expectContents();
    await put('b/c', 5000, 9);
    await put('large', largeBytes, 9);
    expect((await run({ pass: 'verify' })).counts).toMatchObject({ verifiedFiles: 2, repairedFiles: 2 });
    await expectContents();
  });

  it('gives a file that changes after the listing in its new state', async () => {
    const files = await load.listed();
    await put('a', 10, 5);
    await put('b/c', 4000, 5);
    await put('large', largeBytes, 5);
    expect(await load.run(files)).toMatchObject({ counts: { loadedFiles: 4, failedFiles: 0 }, ...noFailures });
    await expectContents();
    if (isBlind(bend)) return;
    expect((await run(skipping('job-2'))).counts).toMatchObject({ loadedFiles: 0, skippedFiles: 4 });
  });

  it('has its metadata recognized when only that is cached, and changes noticed', async () => {
    const options = { loadMetadataOnly: true, skipIfExists: true };
    expect((await run({ options })).counts).toMatchObject({ loadedFiles: 4, failedFiles: 0 });
    for (let round = 0; round < 2; round++) {
      expect((await run({ pass: 'verify', options })).counts).toMatchObject({ verifiedFiles: 4, repairedFiles: 0 });
    }
    await put('a', 10, 5);
    await put('b/c', 4000, 5);
    const repairedFiles = isBlind(bend) ? 1 : 2;
    expect((await run({ pass: 'verify', options })).counts).toMatchObject({
      verifiedFiles: 4 - repairedFiles,
      repairedFiles,
    });
    await run({ jobId: 'job-2', options: {} });
    // Bytes are worth more than metadata, and stay.
    expect((await run({ jobId: 'job-3', options })).counts.skippedFiles).toBe(isBlind(bend) ? 0 : 4);
    if (!isBlind(bend)) await expectContents();
  });

  it('has unlisted files loaded, and their copies recognized', async () => {
    const files = [...contents.keys()].map((name) => ({ name }));
    expect(await load.run(files)).toMatchObject({ counts: { loadedFiles: 4 }, ...noFailures });
    await expectContents();
    if (isBlind(bend)) return;
    // Where GET tells less than the listing does, one more load brings the better version.
    await load.run(files, skipping('job-2'));
    expect((await load.run(files, skipping('job-3'))).counts).toMatchObject({ skippedFiles: 4, loadedFiles: 0 });
    expect((await run(skipping('job-4'))).counts.skippedFiles).toBeGreaterThanOrEqual(0);
    expect((await run(skipping('job-5'))).counts).toMatchObject({ skippedFiles: 4, loadedFiles: 0 });
  });
});

describe('a cache from before', () => {
  it('is recognized: a strong tag without quotes', async () => {
    const s3 = new S3TestServer();
    const { endpoint } = await s3.start();
    s3.createBucket(bucket);
    const load = await LoadFixture.open(root);
    const { accessKeyId, secretAccessKey } = s3.credentials;
    load.connector = openUfs(
      { ufs: root, options: { endpoint, accessKeyId, secretAccessKey } },
      { idleTimeoutMs: 2000, connectTimeoutMs: 1000, maxConnections: 2 },
    );
    await s3.put(bucket, 'a', 'content');
    // The MD5 of `content`.
    await load.cache.put({ path: `${root}a`, version: '9a0364b9e99bb480dd25e1f0284c8555' }, Buffer.from('content'));
    const { counts } = await load.run(await load.listed(), { options: { skipIfExists: true } });
    expect(counts).toMatchObject({ skippedFiles: 1, loadedFiles: 0 });
    expect(s3.counters.get('GetObject')).toBeUndefined();
    expect(s3.counters.get('HeadObject')).toBeUndefined();
    await load.close();
    await s3.stop();
  });
});
