import { randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { S3Fixture } from '#testing';
import { openUfs, UfsError } from '#ufs';
import { LoadFixture } from './spec-support/load-fixture.js';

const part = 8 * 2 ** 20;
const tuning = { idleTimeoutMs: 10_000, connectTimeoutMs: 1_000, maxConnections: 16 };

describe('a large object of a store', () => {
  const bytes = randomBytes(4 * part + 12_345);
  let s3: S3Fixture;
  let load: LoadFixture;
  /** The ranges that were asked for, in order. */
  let ranges: string[];

  beforeEach(async () => {
    s3 = await S3Fixture.start();
    s3.server.createBucket('b');
    await s3.server.put('b', 'large', bytes);
    ranges = [];
    s3.faults.set('b', ({ headers, operation }) => {
      if (operation === 'GetObject') ranges.push(headers.range ?? 'whole');
      return undefined;
    });
    load = await LoadFixture.open('s3://b/', 256 * 2 ** 20);
    load.connector = openUfs({ ufs: 's3://b/', options: s3.mountOptions }, tuning);
  });
  afterEach(async () => {
    await load.close();
    await s3.stop();
  });

  const asked = (index: number) => `bytes=${index * part}-${Math.min((index + 1) * part, bytes.length) - 1}`;
  const allParts = [0, 1, 2, 3, 4].map(asked);
  const loaded = { loadedFiles: 1, loadedBytes: bytes.length, failedFiles: 0 };

  it('is read in parts, several at once, and has the checksum of the whole', async () => {
    let underWay = 0;
    let most = 0;
    const { connector } = load;
    load.connector = Object.assign(Object.create(connector) as typeof connector, {
      read: async (...args: Parameters<typeof connector.read>) => {
        most = Math.max(most, ++underWay);
        return connector.read(...args).finally(() => underWay--);
      },
    });
    expect((await load.run(await load.listed())).counts).toMatchObject(loaded);
    expect(ranges.sort()).toEqual([...allParts].sort());
    expect(most).toBeGreaterThan(1);
    expect((await load.bytes('large'))!.equals(bytes)).toBe(true);
    expect(load.cache.get('s3://b/large')).toMatchObject({ crc32: crc32(bytes), sizeBytes: bytes.length });
    expect(load.progress).toEqual({ files: 1, bytes: bytes.length });
  });

  it('asks again only for the part whose connection broke', async () => {
    let broken = 0;
    s3.faults.set('b', ({ headers, operation }) => {
      if (operation !== 'GetObject') return undefined;
      ranges.push(headers.range ?? 'whole');
      if (headers.range !== asked(2) || broken++ > 0) return undefined;
      return { kind: 'truncate', afterBytes: 1_000_000, how: 'reset' };
    });
    expect((await load.run(await load.listed())).counts).toMatchObject(loaded);
    expect(ranges.sort()).toEqual([...allParts, asked(2)].sort());
    expect((await load.bytes('large'))!.equals(bytes)).toBe(true);
  });

  it('fails with the reason of the part that could not be had, and leaves nothing', async () => {
    s3.faults.set('b', ({ headers }) => (headers.range === asked(3) ? { kind: 'status', status: 500 } : undefined));
    const { counts, failures } = await load.run(await load.listed());
    expect(counts).toMatchObject({ loadedFiles: 0, failedFiles: 1 });
    expect(failures).toMatchObject([{ path: 's3://b/large', reason: expect.stringContaining('500') as string }]);
    expect(await load.bytes('large')).toBeUndefined();
    expect(load.progress).toEqual({ files: 1, bytes: 0 });
  });

  it('begins again when it is replaced on the way: never parts of two versions', async () => {
    const [listed] = await load.listed();
    const newer = randomBytes(3 * part);
    s3.faults.set('b', ({ headers }) => {
      if (headers.range === asked(2)) void s3.server.put('b', 'large', newer);
      return undefined;
    });
    expect((await load.run([listed])).counts).toMatchObject({ loadedFiles: 1, loadedBytes: newer.length });
    expect((await load.bytes('large'))!.equals(newer)).toBe(true);
  });

  it('is read as a stream when the store ignores ranges', async () => {
    const { connector } = load;
    load.connector = Object.assign(Object.create(connector) as typeof connector, {
      read: (path: string) => Promise.reject(new UfsError('TooLarge', path, 'The whole object came.')),
    });
    expect((await load.run(await load.listed())).counts).toMatchObject(loaded);
    expect(ranges).toEqual(['whole']);
    expect((await load.bytes('large'))!.equals(bytes)).toBe(true);
  });

  it('is read as a stream for a job with a bandwidth limit', async () => {
    load.isThrottled = true;
    expect((await load.run(await load.listed())).counts).toMatchObject(loaded);
    expect(ranges).toEqual(['whole']);
  });
});
