import { randomBytes } from 'node:crypto';
import { truncateSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { crc32 } from 'node:zlib';
import { openUfs, type UfsConnector, type UfsLocalFile } from '#ufs';
import { LoadFixture } from './spec-support/load-fixture.js';

const tuning = { idleTimeoutMs: 5000, connectTimeoutMs: 1000, maxConnections: 8, blockingReads: true };
const stretch = 16 * 2 ** 20;

describe('a large file of a local file system', () => {
  const bytes = randomBytes(3 * stretch + 12_345);
  let source: string;
  let file: string;
  let load: LoadFixture;
  let streams: number;

  beforeEach(async () => {
    source = await mkdtemp(path.join(tmpdir(), 'larder-source-'));
    file = path.join(source, 'large');
    await writeFile(file, bytes);
    load = await LoadFixture.open(`file://${source}/`, 512 * 2 ** 20);
    streams = 0;
    load.connector = whenCopied(openUfs({ ufs: `file://${source}/`, options: {} }, tuning), () => undefined);
  });
  afterEach(async () => {
    await load.close();
    await rm(source, { recursive: true, force: true });
  });

  /** @param before runs before each stretch is copied, with its number */
  function whenCopied(connector: UfsConnector, before: (stretch: number) => void): UfsConnector {
    return Object.assign(Object.create(connector) as UfsConnector, {
      open: (...args: Parameters<UfsConnector['open']>) => {
        streams++;
        return connector.open(...args);
      },
      openLocal: async (...args: Parameters<NonNullable<UfsConnector['openLocal']>>) => {
        const opened = await connector.openLocal?.(...args);
        let copied = 0;
        const hooked = Object.create(opened!) as UfsLocalFile;
        return Object.defineProperty(hooked, 'fd', { get: () => (before(copied++), opened!.fd) });
      },
    });
  }

  const loaded = { loadedFiles: 1, loadedBytes: bytes.length, failedFiles: 0 };
  const expectNothing = async () => {
    expect(await load.bytes('large')).toBeUndefined();
    expect(load.cache.stats()).toMatchObject({ objects: 0, diskBytes: 0 });
    expect(load.progress.bytes).toBe(0);
  };

  it('is copied in stretches, with the checksum of the whole', async () => {
    expect((await load.run(await load.listed())).counts).toMatchObject(loaded);
    expect(streams).toBe(0);
    expect((await load.bytes('large'))!.equals(bytes)).toBe(true);
    expect(load.cache.get(`file://${source}/large`)).toMatchObject({ crc32: crc32(bytes), sizeBytes: bytes.length });
    expect(load.progress).toEqual({ files: 1, bytes: bytes.length });
    expect(load.throttled.reduce((sum, paid) => sum + paid.bytes, 0)).toBe(bytes.length);
  });

  it('is copied as a stream for a job with a bandwidth limit', async () => {
    load.isThrottled = true;
    expect((await load.run(await load.listed())).counts).toMatchObject(loaded);
    expect(streams).toBe(1);
    expect(Math.max(...load.throttled.map((paid) => paid.bytes))).toBeLessThanOrEqual(2 ** 20);
  });

  it('fault 11: begins again when it changes on the way, without a mix', async () => {
    const fresh = randomBytes(2 * stretch);
    let changes = 0;
    load.connector = whenCopied(load.connector, (index) => {
      if (index === 2 && changes++ === 0) writeFileSync(file, fresh);
    });
    expect((await load.run(await load.listed())).counts).toMatchObject({ loadedFiles: 1, loadedBytes: fresh.length });
    expect(changes).toBe(1);
    expect((await load.bytes('large'))!.equals(fresh)).toBe(true);
    expect(load.progress.bytes).toBe(fresh.length);
  });

  it('fault 11: a change of the same size behind what was copied is noticed', async () => {
    const fresh = randomBytes(bytes.length);
    let changes = 0;
    load.connector = whenCopied(load.connector, (index) => {
      if (index === 3 && changes++ === 0) writeFileSync(file, fresh);
    });
    expect((await load.run(await load.listed())).counts).toMatchObject(loaded);
    expect((await load.bytes('large'))!.equals(fresh)).toBe(true);
  });

  it('fault 11: fails when it is cut each time, and leaves nothing', async () => {
    load.connector = whenCopied(load.connector, (index) => {
      if (index === 1) truncateSync(file, stretch);
      if (index === 0) writeFileSync(file, bytes);
    });
    const { counts, failures } = await load.run(await load.listed());
    expect(counts).toMatchObject({ loadedFiles: 0, failedFiles: 1 });
    expect(failures).toMatchObject([{ path: `file://${source}/large`, attempts: 3 }]);
    await expectNothing();
  });

  it('is given up between two stretches when the job stops', async () => {
    let copies = 0;
    load.connector = whenCopied(load.connector, () => {
      if (++copies === 2) load.abort.abort(new Error('stopped'));
    });
    await expect(load.run(await load.listed())).rejects.toThrow('stopped');
    expect(copies).toBe(2);
    await expectNothing();
  });

  it('that is reached by a link is copied, and by one that leaves the mount refused', async () => {
    const outside = await mkdtemp(path.join(tmpdir(), 'larder-outside-'));
    await writeFile(path.join(outside, 'secret'), bytes);
    await symlink('large', path.join(source, 'within'));
    await symlink(path.join(outside, 'secret'), path.join(source, 'without'));
    const size = {
      sizeBytes: bytes.length,
      version: (await load.listed()).find(({ name }) => name === 'large')!.version,
    };
    const { counts, failures } = await load.run([
      { name: 'within', ...size },
      { name: 'without', ...size },
    ]);
    expect(counts).toMatchObject({ loadedFiles: 1, failedFiles: 1 });
    expect(failures).toMatchObject([{ path: `file://${source}/without` }]);
    expect((await load.bytes('within'))!.equals(bytes)).toBe(true);
    await rm(outside, { recursive: true });
  });
});
