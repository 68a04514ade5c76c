import { randomBytes } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readFile, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { packedObjectMaxBytes } from '#transfer';
import { openUfs, UfsError, type UfsConnector, type UfsRead } from '#ufs';
import { loadWorkerKind } from './index.js';
import { LoadFixture } from './spec-support/load-fixture.js';

const tuning = { idleTimeoutMs: 5000, connectTimeoutMs: 1000, maxConnections: 8 };
const nothing = { loadedFiles: 0, loadedNonEmptyFiles: 0, loadedBytes: 0, skippedFiles: 0, skippedBytes: 0 };
const noFailures = { failedFiles: 0, failedBytes: 0 };

describe('loading from files', () => {
  let source: string;
  let load: LoadFixture;

  beforeEach(async () => {
    source = await mkdtemp(path.join(tmpdir(), 'larder-source-'));
    load = await LoadFixture.open(`file://${source}/`);
    load.connector = openUfs({ ufs: `file://${source}/`, options: {} }, tuning);
  });
  afterEach(async () => {
    await load.close();
    await rm(source, { recursive: true, force: true });
  });

  async function put(name: string, bytes: Buffer | string): Promise<Buffer> {
    const file = path.join(source, name);
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, bytes);
    return Buffer.from(bytes);
  }

  it('loads small, large and empty files byte for byte, and counts them', async () => {
    const small = await put('dir/small', randomBytes(10_000));
    const edge = await put('edge', randomBytes(packedObjectMaxBytes));
    const large = await put('large', randomBytes(3 * 2 ** 20 + 7));
    await put('empty', '');
    const { counts, failures } = await load.run(await load.listed());

    const bytes = small.length + edge.length + large.length;
    expect(failures).toEqual([]);
    expect(counts).toEqual({
      ...nothing,
      ...noFailures,
      loadedFiles: 4,
      loadedNonEmptyFiles: 3,
      loadedBytes: bytes,
    });
    expect(await load.bytes('dir/small')).toEqual(small);
    expect(await load.bytes('edge')).toEqual(edge);
    expect((await load.bytes('large'))!.equals(large)).toBe(true);
    expect(await load.bytes('empty')).toEqual(Buffer.alloc(0));
    expect(load.progress).toEqual({ files: 4, bytes });
    expect(load.throttled.reduce((sum, paid) => sum + paid.bytes, 0)).toBe(bytes);
    expect(Math.max(...load.throttled.map((paid) => paid.bytes))).toBeLessThanOrEqual(2 ** 20);
  });

  it('loads files of unknown size and version, small and large', async () => {
    const small = await put('small', randomBytes(100));
    const large = await put('large', randomBytes(2 * 2 ** 20));
    const { counts } = await load.run([{ name: 'small' }, { name: 'large' }, { name: 'none' }]);
    expect(counts).toMatchObject({ loadedFiles: 2, loadedBytes: small.length + large.length, failedFiles: 1 });
    expect(await load.bytes('small')).toEqual(small);
    expect((await load.bytes('large'))!.equals(large)).toBe(true);
  });

  it('fault 13: handled ten times over, a batch gives the same counts and fetches nothing again', async () => {
    await put('a', 'aaaa');
    await put('large', randomBytes(2 ** 20));
    const files = [...(await load.listed()), { name: 'gone', sizeBytes: 9, version: 'x' }];
    const first = await load.run(files);
    const paid = load.throttled.length;
    for (let delivery = 2; delivery <= 10; delivery++) expect(await load.run(files)).toEqual(first);
    // Only the vanished file is asked for again.
    expect(load.throttled.length).toBe(paid + 9);

    const unlisted = [{ name: 'a' }, { name: 'large' }];
    const again = await load.run(unlisted);
    expect(again.counts).toMatchObject({ loadedFiles: 2, loadedBytes: 4 + 2 ** 20 });
    expect(load.throttled.length).toBe(paid + 9);
  });

  it('loads anew what another job has loaded, unless it is to be skipped', async () => {
    await put('a', 'aaaa');
    const files = await load.listed();
    await load.run(files, { jobId: 'earlier' });
    expect((await load.run(files, { options: { skipIfExists: true } })).counts).toEqual({
      ...nothing,
      ...noFailures,
      skippedFiles: 1,
      skippedBytes: 4,
    });
    expect((await load.run([{ name: 'a' }], { options: { skipIfExists: true } })).counts.skippedFiles).toBe(1);
    expect((await load.run(files)).counts).toMatchObject({ loadedFiles: 1, skippedFiles: 0 });
    expect(load.cache.get(`file://${source}/a`)?.jobId).toBe('job-1');
  });

  it('does not skip what has another version or only metadata in the cache', async () => {
    await put('a', 'aaaa');
    await load.run(await load.listed(), { jobId: 'earlier' });
    await put('a', 'bbbb');
    await utimes(path.join(source, 'a'), 1, 1);
    const files = await load.listed();
    const skipIfExists = { options: { skipIfExists: true } };
    expect((await load.run(files, skipIfExists)).counts).toMatchObject({ loadedFiles: 1, skippedFiles: 0 });
    expect(await load.bytes('a')).toEqual(Buffer.from('bbbb'));

    await load.cache.delete(`file://${source}/a`);
    await load.run(files, { jobId: 'earlier', options: { loadMetadataOnly: true } });
    expect((await load.run(files, skipIfExists)).counts).toMatchObject({ loadedFiles: 1, loadedBytes: 4 });
  });

  it.each(['main', 'verify'] as const)(
    'does not push out for one of its files what it has found here (%s)',
    async (pass) => {
      const { connector } = load;
      await load.close();
      load = await LoadFixture.open(`file://${source}/`, 3 * 2 ** 20);
      load.connector = connector;
      const found = pass === 'main' ? 'skippedFiles' : 'verifiedFiles';
      const [failed, brought] =
        pass === 'main' ? ['failedFiles', 'loadedFiles'] : ['verifyFailedFiles', 'repairedFiles'];
      const skipping = { jobId: 'later', pass, options: { skipIfExists: true } } as const;
      await put('a', randomBytes(2 ** 20));
      await load.run(await load.listed(), { jobId: 'earlier' });
      for (const name of ['b', 'c', 'd']) await put(name, randomBytes(2 ** 20));
      const files = await load.listed();
      expect((await load.run(files.slice(0, 1), skipping)).counts).toMatchObject({ [found]: 1 });
      const { counts } = await load.run(files.slice(1), skipping);
      expect(counts).toMatchObject({ [brought]: 2, [failed]: 1 });
      expect(load.cache.get(`file://${source}/a`)).toMatchObject({ jobId: 'later', kept: true });
      // Delivered again, it counts as it did then.
      expect((await load.run(files.slice(0, 1), skipping)).counts).toMatchObject({ [found]: 1, [brought]: 0 });
    },
  );

  it('keeps metadata only, and never instead of bytes of the same version', async () => {
    await put('a', 'aaaa');
    await put('b', 'bb');
    const [a, b] = await load.listed();
    await load.run([a]);
    const metadataOnly = { jobId: 'job-2', options: { loadMetadataOnly: true } };
    const { counts } = await load.run([a, b, { name: 'gone' }], metadataOnly);
    expect(counts).toEqual({
      ...nothing,
      loadedFiles: 2,
      loadedNonEmptyFiles: 2,
      failedFiles: 1,
      failedBytes: 0,
    });
    expect(await load.bytes('a')).toEqual(Buffer.from('aaaa'));
    expect(await load.bytes('b')).toBeUndefined();
    expect(load.cache.get(`file://${source}/b`)).toMatchObject({ sizeBytes: 2, metadataOnly: true });
    expect((await load.run([a, b, { name: 'gone' }], metadataOnly)).counts).toEqual(counts);
  });

  it('fault 11: a file that has changed since it was listed is loaded whole in its new version', async () => {
    await put('small', 'old');
    await put('large', randomBytes(2 ** 20));
    const files = await load.listed();
    const small = await put('small', 'new content');
    const large = await put('large', randomBytes(2 ** 20 + 5));
    const { counts } = await load.run(files);
    expect(counts).toMatchObject({ loadedFiles: 2, failedFiles: 0, loadedBytes: small.length + large.length });
    expect(await load.bytes('small')).toEqual(small);
    expect((await load.bytes('large'))!.equals(large)).toBe(true);
  });

  it('fault 11: a file that changes in the middle of being read starts again, with no mix', async () => {
    await put('large', Buffer.alloc(4 * 2 ** 20, 'a'));
    const fresh = Buffer.alloc(4 * 2 ** 20, 'b');
    let changed = false;
    load.connector = interposed(load.connector, async (chunkIndex) => {
      if (changed || chunkIndex !== 1) return;
      changed = true;
      await put('large', fresh);
    });
    const { counts } = await load.run(await load.listed());
    expect(changed).toBe(true);
    expect(counts).toMatchObject({ loadedFiles: 1, failedFiles: 0 });
    expect((await load.bytes('large'))!.equals(fresh)).toBe(true);
    expect(load.progress.bytes).toBe(fresh.length);
  });

  it('fault 11: a file that never stops changing fails, and nothing of it is kept', async () => {
    await put('large', Buffer.alloc(4 * 2 ** 20, 'a'));
    let version = 0;
    load.connector = interposed(load.connector, async (chunkIndex) => {
      if (chunkIndex === 1) await put('large', Buffer.alloc(4 * 2 ** 20, String(version++ % 10)));
    });
    const { counts, failures } = await load.run(await load.listed());
    expect(counts).toMatchObject({ loadedFiles: 0, failedFiles: 1, failedBytes: 4 * 2 ** 20 });
    expect(failures).toEqual([
      { path: `file://${source}/large`, reason: expect.stringContaining('changed') as string, attempts: 3 },
    ]);
    expect(load.cache.stats()).toMatchObject({ objects: 0, usedBytes: 0 });
    expect(load.progress.bytes).toBe(0);
  });

  it('fault 17: paths that must not be loaded fail one by one, and the rest of the batch succeeds', async () => {
    await put('good', 'good');
    await mkdir(path.join(source, 'directory'));
    await symlink('/etc/passwd', path.join(source, 'link'));
    const names = ['../x', 'a/../../x', 'nul\0', 'n'.repeat(300), 'p'.repeat(2500), 'directory', 'link', '\ud800'];
    const { counts, failures } = await load.run([{ name: 'good' }, ...names.map((name) => ({ name }))]);
    expect(counts).toMatchObject({ loadedFiles: 1, failedFiles: names.length });
    expect(failures.map((failure) => failure.path)).toEqual(names.map((name) => `file://${source}/${name}`));
    for (const { reason, attempts } of failures) {
      expect(reason.length).toBeGreaterThan(5);
      expect(reason.length).toBeLessThanOrEqual(300);
      expect(attempts).toBeLessThanOrEqual(1);
    }
    expect(load.cache.stats().objects).toBe(1);
  });

  it('fault 20: names in emoji, both normal forms, %2F, + and spaces stay distinct and byte for byte', async () => {
    const names = ['🎈', '\u00e9', 'e\u0301', 'a%2Fb', 'a/b', 'a+b', 'a b', 'a%20b', '%'];
    for (const name of names) await put(name, `content of ${name}`);
    expect((await load.run(await load.listed())).counts).toMatchObject({ loadedFiles: names.length, failedFiles: 0 });
    for (const name of names) expect(await load.bytes(name)).toEqual(Buffer.from(`content of ${name}`));
  });

  it('says that a file is gone, and does not try again', async () => {
    await put('a', 'aaaa');
    const files = await load.listed();
    await rm(path.join(source, 'a'));
    const { counts, failures } = await load.run(files);
    expect(counts).toMatchObject({ failedFiles: 1, failedBytes: 4 });
    expect(failures[0]).toMatchObject({ reason: expect.stringMatching(/^the file is gone: /) as string, attempts: 1 });
  });

  it('fault 7: a file that finds no room fails with the reason, and smaller ones after it are loaded', async () => {
    const { connector } = load;
    await load.close();
    load = await LoadFixture.open(`file://${source}/`, 2 ** 20);
    load.connector = connector;
    await put('huge', Buffer.alloc(5 * 2 ** 20));
    await put('small', 'fits');
    const { counts, failures } = await load.run(await load.listed());
    expect(counts).toMatchObject({ loadedFiles: 1, failedFiles: 1, failedBytes: 5 * 2 ** 20 });
    expect(failures[0]).toMatchObject({ path: `file://${source}/huge`, attempts: 1 });
    expect(await load.bytes('small')).toEqual(Buffer.from('fits'));
  });

  it('throws when aborted, and leaves nothing half-done', async () => {
    await put('large', Buffer.alloc(8 * 2 ** 20));
    load.connector = interposed(load.connector, (chunkIndex) => {
      if (chunkIndex === 2) load.abort.abort(new Error('stopped'));
      return Promise.resolve();
    });
    await expect(load.run(await load.listed())).rejects.toThrow('stopped');
    expect(load.cache.stats()).toMatchObject({ objects: 0, usedBytes: 0, diskBytes: 0 });
  });

  it('waits for the other files before it throws a bug, and counts it for no file', async () => {
    await put('a', 'a');
    await put('b', 'b');
    const { connector } = load;
    load.connector = {
      ...proxied(connector),
      read: (file, options) =>
        file.endsWith('a') ? Promise.reject(new TypeError('a bug')) : connector.read(file, options),
    };
    await expect(load.run(await load.listed())).rejects.toThrow('a bug');
    expect(await load.bytes('b')).toEqual(Buffer.from('b'));
  });

  describe('verify', () => {
    const verify = { pass: 'verify' } as const;

    it('confirms what is as it should be', async () => {
      await put('a', 'aaaa');
      await put('large', randomBytes(2 ** 20));
      const files = await load.listed();
      await load.run(files);
      expect(await load.run(files, verify)).toEqual({
        counts: { verifiedFiles: 2, repairedFiles: 0, repairedBytes: 0, verifyFailedFiles: 0 },
        failures: [],
      });
    });

    it('repairs what is missing, outdated, metadata only or rotten on disk', async () => {
      for (const name of ['good', 'missing', 'outdated', 'metadata']) await put(name, `${name} file`);
      const rotten = await put('rotten', randomBytes(2 ** 20));
      await load.run(await load.listed());
      await load.cache.delete(`file://${source}/missing`);
      await put('outdated', 'outdated no more');
      await load.cache.delete(`file://${source}/metadata`);
      const listed = await load.listed();
      const metadata = listed.filter(({ name }) => name === 'metadata');
      await load.run(metadata, { options: { loadMetadataOnly: true } });
      await rotOnDisk(load.directory);

      const { counts, failures } = await load.run(listed, verify);
      expect(failures).toEqual([]);
      expect(counts).toEqual({
        verifiedFiles: 1,
        repairedFiles: 4,
        repairedBytes: 'missing file'.length + 'outdated no more'.length + 'metadata file'.length + 2 ** 20,
        verifyFailedFiles: 0,
      });
      expect((await load.bytes('rotten'))!.equals(rotten)).toBe(true);
      expect(await load.bytes('outdated')).toEqual(Buffer.from('outdated no more'));
      expect((await load.run(listed, verify)).counts).toMatchObject({ verifiedFiles: 5, repairedFiles: 0 });
    });

    it('compares with the UFS’s bytes, not only with the version', async () => {
      const bytes = await put('a', 'what the UFS has');
      const files = await load.listed();
      const wrong = Buffer.alloc(bytes.length, 'x');
      await load.cache.put({ path: `file://${source}/a`, version: files[0].version!, jobId: 'job-1' }, wrong);
      expect((await load.run(files, verify)).counts).toMatchObject({ repairedFiles: 1, repairedBytes: bytes.length });
      expect(await load.bytes('a')).toEqual(bytes);
    });

    it('names what cannot be repaired, and serves no wrong bytes meanwhile', async () => {
      await put('gone', 'gone');
      await put('never', 'never');
      await put('forbidden', 'secret');
      await load.run((await load.listed()).filter(({ name }) => name !== 'never'));
      const files = await load.listed();
      const { connector } = load;
      const forbidden = (file: string) => Promise.reject(new UfsError('Forbidden', file, `Access denied: ${file}.`));
      load.connector = {
        ...proxied(connector),
        read: (file, options) => (file.endsWith('never') ? forbidden(file) : connector.read(file, options)),
        contentHash: (object, signal) =>
          object.path.endsWith('forbidden') ? forbidden(object.path) : connector.contentHash(object, signal),
      };
      await rm(path.join(source, 'gone'));
      const { counts, failures } = await load.run(files, verify);
      expect(counts).toEqual({ verifiedFiles: 0, repairedFiles: 0, repairedBytes: 0, verifyFailedFiles: 3 });
      for (const { reason } of failures) expect(reason).toMatch(/^verify: /);
    });

    it('compares metadata where only that was loaded', async () => {
      await put('a', 'aaaa');
      await put('b', 'bb');
      const options = { loadMetadataOnly: true };
      await load.run(await load.listed(), { options });
      await put('b', 'bbbb');
      const { counts } = await load.run(await load.listed(), { ...verify, options });
      expect(counts).toEqual({ verifiedFiles: 1, repairedFiles: 1, repairedBytes: 0, verifyFailedFiles: 0 });
    });
  });

  it('fault 12: a batch that is given up names every file', () => {
    const files = [['a', 5, 'v'] as const, ['b', -1, ''] as const].map((file) => [...file] as [string, number, string]);
    const batch = { v: 2, jobId: 'j', kind: 'load', batchId: 'b', epoch: 1, attempt: 1, copy: 0, options: {} } as const;
    const given = { ...batch, pass: 'main' as const, namespaceSequence: 1, root: 's3://b/', files };
    const { counts, failures } = loadWorkerKind.failAll(given, 'given up');
    expect(counts).toEqual({ ...nothing, failedFiles: 2, failedBytes: 5 });
    expect(failures).toEqual(['s3://b/a', 's3://b/b'].map((file) => ({ path: file, reason: 'given up', attempts: 0 })));
    expect(loadWorkerKind.failAll({ ...given, pass: 'verify' }, 'given up').counts.verifyFailedFiles).toBe(2);
  });
});

/** The same connector, its methods as own properties so that a test can replace some. */
function proxied(connector: UfsConnector): UfsConnector {
  return {
    readsParts: connector.readsParts,
    list: (...args) => connector.list(...args),
    stat: (...args) => connector.stat(...args),
    exists: (...args) => connector.exists(...args),
    open: (...args) => connector.open(...args),
    read: (...args) => connector.read(...args),
    contentHash: (...args) => connector.contentHash(...args),
    close: () => connector.close(),
  };
}

/** The same connector; `before` runs before each chunk of a streamed body is handed on. */
function interposed(connector: UfsConnector, before: (chunkIndex: number) => Promise<void>): UfsConnector {
  async function* chunks({ body }: UfsRead): AsyncGenerator<Buffer> {
    let index = 0;
    for await (const chunk of body) {
      await before(index++);
      yield chunk;
    }
  }
  return {
    ...proxied(connector),
    open: async (...args) => {
      const read = await connector.open(...args);
      return { ...read, body: chunks(read) };
    },
  };
}

/** Flips a bit in the middle of the one large object's file. */
async function rotOnDisk(directory: string): Promise<void> {
  const { readdir } = await import('node:fs/promises');
  const entries = await readdir(path.join(directory, 'objects'), { recursive: true, withFileTypes: true });
  const [file] = entries.filter((entry) => entry.isFile()).map((entry) => path.join(entry.parentPath, entry.name));
  const bytes = await readFile(file);
  bytes[bytes.length >> 1] ^= 1;
  await chmod(file, 0o600);
  await writeFile(file, bytes);
}
