import { randomBytes } from 'node:crypto';
import { firstTimes, S3TestServer, type Fault, type S3RequestInfo } from '#testing';
import { openUfs } from '#ufs';
import { LoadFixture } from './spec-support/load-fixture.js';

const bucket = 'bucket';
const root = `s3://${bucket}/`;

describe('loading from S3', () => {
  let s3: S3TestServer;
  let load: LoadFixture;

  beforeEach(async () => {
    s3 = new S3TestServer();
    const { endpoint } = await s3.start();
    s3.createBucket(bucket);
    load = await LoadFixture.open(root);
    load.connector = openUfs(
      {
        ufs: root,
        options: {
          's3a.accessKeyId': s3.credentials.accessKeyId,
          's3a.secretKey': s3.credentials.secretAccessKey,
          'alluxio.underfs.s3.endpoint': endpoint,
          'alluxio.underfs.s3.region': s3.region,
          'alluxio.underfs.s3.disable.dns.buckets': 'true',
        },
      },
      { idleTimeoutMs: 300, connectTimeoutMs: 1000, maxConnections: 16 },
    );
  });
  afterEach(async () => {
    await load.close();
    await s3.stop();
  });

  const put = async (key: string, bytes: Buffer | string = `content of ${key}`) => {
    await s3.put(bucket, key, bytes);
    return Buffer.from(bytes);
  };
  const gets = (key: string) => s3.requests.filter((one) => one.method === 'GET' && one.key === key).length;
  const reads = (key: string) => (request: S3RequestInfo) => request.operation === 'GetObject' && request.key === key;

  it('loads small and large objects byte for byte with one request each', async () => {
    const small = await put('dir/small');
    const large = await put('large', randomBytes(2 * 2 ** 20 + 3));
    const listed = await load.listed();
    const { counts, failures } = await load.run(listed);
    expect(failures).toEqual([]);
    expect(counts).toMatchObject({ loadedFiles: 2, loadedBytes: small.length + large.length });
    expect(await load.bytes('dir/small')).toEqual(small);
    expect((await load.bytes('large'))!.equals(large)).toBe(true);
    expect([gets('dir/small'), gets('large'), s3.counters.get('HeadObject') ?? 0]).toEqual([1, 1, 0]);
  });

  const retried: [string, Fault][] = [
    ['fault 8: 500', { kind: 'status', status: 500 }],
    ['fault 8: SlowDown', { kind: 'status', status: 503 }],
    ['fault 8: a connection reset', { kind: 'reset' }],
    ['fault 10: a body that ends early', { kind: 'truncate', afterBytes: 1000, how: 'end' }],
    ['fault 10: a body cut off by a reset', { kind: 'truncate', afterBytes: 1000, how: 'reset' }],
    ['fault 10: a length that is too large', { kind: 'length', offBy: 10 }],
    ['fault 9: a request that hangs', { kind: 'hang' }],
    ['fault 9: a body that hangs', { kind: 'pause', afterBytes: 1000 }],
  ];
  it.each(retried)('%s is tried again and comes out whole', async (_name, fault) => {
    const small = await put('small', randomBytes(5000));
    const large = await put('large', randomBytes(2 ** 20));
    for (const [key, bytes] of [
      ['small', small],
      ['large', large],
    ] as const) {
      s3.fault = firstTimes(1, fault, reads(key));
      const files = (await load.listed()).filter(({ name }) => name === key);
      const { counts, failures } = await load.run(files);
      expect(failures).toEqual([]);
      expect(counts).toMatchObject({ loadedFiles: 1, loadedBytes: bytes.length, failedFiles: 0 });
      expect((await load.bytes(key))!.equals(bytes)).toBe(true);
      expect(gets(key)).toBe(2);
    }
    expect(load.progress.bytes).toBe(small.length + large.length);
  });

  it('fault 8: a file that always fails is tried the set number of times, and counted exactly', async () => {
    for (const key of ['a', 'b', 'c', 'd']) await put(key);
    const files = await load.listed();
    s3.fault = (request) => (reads('b')(request) || reads('d')(request) ? { kind: 'status', status: 503 } : undefined);
    const { counts, failures } = await load.run(files);
    const failedBytes = 2 * 'content of b'.length;
    expect(counts).toMatchObject({ loadedFiles: 2, failedFiles: 2, failedBytes, skippedFiles: 0 });
    expect(failures.map(({ path, attempts }) => [path, attempts])).toEqual([
      [`${root}b`, 3],
      [`${root}d`, 3],
    ]);
    expect([gets('a'), gets('b'), gets('c'), gets('d')]).toEqual([1, 3, 1, 3]);
  });

  it('fault 9: an object that is stuck for ever fails alone', async () => {
    for (let i = 0; i < 20; i++) await put(`k${i}`);
    await put('stuck', randomBytes(2 ** 20));
    const files = await load.listed();
    s3.fault = (request) => (reads('stuck')(request) ? { kind: 'pause', afterBytes: 500_000 } : undefined);
    const { counts, failures } = await load.run(files);
    expect(counts).toMatchObject({ loadedFiles: 20, failedFiles: 1, failedBytes: 2 ** 20 });
    expect(failures).toEqual([{ path: `${root}stuck`, reason: expect.any(String) as string, attempts: 3 }]);
    expect(load.cache.stats()).toMatchObject({ objects: 20 });
    expect(load.progress).toMatchObject({ files: 21, bytes: counts.loadedBytes });
  });

  it('fault 10: a body that is always cut short is never published', async () => {
    await put('large', randomBytes(2 ** 20));
    await put('small', randomBytes(2000));
    const files = await load.listed();
    s3.fault = ({ operation }) =>
      operation === 'GetObject' ? { kind: 'truncate', afterBytes: 1000, how: 'end' } : undefined;
    const { counts } = await load.run(files);
    expect(counts).toMatchObject({ loadedFiles: 0, failedFiles: 2, failedBytes: 2 ** 20 + 2000 });
    expect(load.cache.stats()).toMatchObject({ objects: 0, usedBytes: 0 });
    expect(await load.bytes('large')).toBeUndefined();
  });

  it('fault 11: an object replaced after the listing is loaded whole in its new version', async () => {
    await put('small', 'old');
    await put('large', randomBytes(2 ** 20));
    const files = await load.listed();
    const small = await put('small', 'new and longer');
    const large = await put('large', randomBytes(2 ** 20 + 100));
    const { counts } = await load.run(files);
    expect(counts).toMatchObject({ loadedFiles: 2, loadedBytes: small.length + large.length, failedFiles: 0 });
    expect(await load.bytes('small')).toEqual(small);
    expect((await load.bytes('large'))!.equals(large)).toBe(true);
  });

  it('fault 11: an answer with another ETag than requested is refused', async () => {
    await put('large', randomBytes(2 ** 20));
    const files = await load.listed();
    s3.fault = ({ operation }) => (operation === 'GetObject' ? { kind: 'etag', etag: '"other"' } : undefined);
    const { counts, failures } = await load.run(files);
    expect(counts).toMatchObject({ loadedFiles: 0, failedFiles: 1 });
    expect(failures[0].attempts).toBe(3);
    expect(load.cache.stats().objects).toBe(0);
  });

  it.each([
    [403, 'AccessDenied'],
    [404, 'NoSuchKey'],
  ])('a %i ends as a named failure at once', async (status, code) => {
    await put('a');
    const files = await load.listed();
    s3.fault = ({ operation }) => (operation === 'GetObject' ? { kind: 'status', status, code } : undefined);
    const { counts, failures } = await load.run(files);
    expect(counts).toMatchObject({ failedFiles: 1, failedBytes: 'content of a'.length });
    expect(failures[0].attempts).toBe(1);
    expect(gets('a')).toBe(1);
    if (status === 404) expect(failures[0].reason).toMatch(/^the file is gone: /);
  });

  it('fault 20: keys in emoji, both normal forms, %2F, + and spaces, and with / at the end, are distinct objects', async () => {
    const keys = ['🎈', '\u00e9', 'e\u0301', 'a%2Fb', 'a/b', 'a+b', 'a b', 'a%20b', 'a', 'a/', 'a//b', 'q\'"&<>'];
    for (const key of keys) await put(key);
    const { counts, failures } = await load.run(keys.map((name) => ({ name })));
    expect(failures).toEqual([]);
    expect(counts).toMatchObject({ loadedFiles: keys.length });
    for (const key of keys) expect(await load.bytes(key)).toEqual(Buffer.from(`content of ${key}`));
  });

  it('stops at once when aborted, and breaks off its reads', async () => {
    await put('large', randomBytes(2 ** 20));
    const files = await load.listed();
    s3.fault = (request) => {
      if (!reads('large')(request)) return undefined;
      setImmediate(() => load.abort.abort(new Error('stopped')));
      return { kind: 'pause', afterBytes: 1000 };
    };
    await expect(load.run(files)).rejects.toThrow('stopped');
    expect(load.cache.stats()).toMatchObject({ objects: 0, usedBytes: 0 });
    while (s3.inFlight > 0) await new Promise(setImmediate);
  });

  it('verifies against the MD5 in an ETag, without reading the object again', async () => {
    const bytes = await put('a');
    const [file] = await load.listed();
    const wrong = Buffer.alloc(bytes.length, 'x');
    await load.cache.put({ path: `${root}a`, version: file.version!, jobId: 'job-1' }, wrong);
    expect((await load.run([file], { pass: 'verify' })).counts).toMatchObject({ repairedFiles: 1, verifiedFiles: 0 });
    const before = gets('a');
    expect((await load.run([file], { pass: 'verify' })).counts).toMatchObject({ repairedFiles: 0, verifiedFiles: 1 });
    expect(gets('a')).toBe(before);
    expect(await load.bytes('a')).toEqual(bytes);
  });
});
