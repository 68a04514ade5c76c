import { createHash } from 'node:crypto';
import { readdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { content, dataFiles, paths, readWhole, StoreFixture, writeInChunks } from './fixtures/store-fixture.js';
import { CorruptObjectError, PathTooLongError } from './index.js';

const SMALL = 5_000;
const LARGE = 3_000_000;

describe('the cache store', () => {
  const fixture = new StoreFixture();
  afterEach(() => fixture.cleanUp());

  it.each([
    ['empty', 0],
    ['packed', SMALL],
    ['large', LARGE],
  ])('returns %s objects byte for byte, from put and from a writer', async (_name, sizeBytes) => {
    const store = await fixture.open();
    const bytes = content(1, sizeBytes);
    const put = await store.put({ path: 's3://b/put', version: '"1"', jobId: 'job-1' }, bytes);
    const written = await writeInChunks(store, 's3://b/written', bytes, 70_001);

    expect(put).toMatchObject({ path: 's3://b/put', sizeBytes, version: '"1"', jobId: 'job-1' });
    expect(written.crc32).toBe(put.crc32);
    expect(store.get('s3://b/put')).toEqual(put);
    for (const path of ['s3://b/put', 's3://b/written']) {
      expect((await readWhole(store, path))?.equals(bytes)).toBe(true);
      expect(await store.check(path)).toBe(true);
      expect(await store.check(path, createHash('md5').update(bytes).digest('hex'))).toBe(true);
      expect(await store.check(path, '0'.repeat(32))).toBe(false);
    }
    expect(store.stats()).toMatchObject({ objects: 2, usedBytes: 2 * sizeBytes });
  });

  it.each([SMALL, LARGE])('serves byte ranges of an object of %d bytes', async (sizeBytes) => {
    const store = await fixture.open();
    const bytes = content(2, sizeBytes);
    await store.put({ path: 'a', version: '1' }, bytes);
    for (const [start, end] of [
      [0, 0],
      [0, sizeBytes - 1],
      [10, 4000],
      [sizeBytes - 1, sizeBytes - 1],
      [100, sizeBytes + 100],
    ] as const) {
      const part = await buffer(store.read('a')!.stream({ start, end }));
      expect(part.equals(bytes.subarray(start, end + 1))).toBe(true);
    }
    const read = store.read('a')!;
    expect(() => read.stream({ start: sizeBytes, end: sizeBytes })).toThrow(RangeError);
    await read.close();
  });

  it('replaces an object, and serves the old one whole to its current reader', async () => {
    const directory = await fixture.directory();
    const store = await fixture.open({ directory });
    for (const sizeBytes of [SMALL, LARGE]) {
      await store.put({ path: 'a', version: '1' }, content(1, sizeBytes));
      const old = store.read('a')!;
      await store.put({ path: 'a', version: '2' }, content(2, sizeBytes));
      expect(store.get('a')?.version).toBe('2');
      expect((await readWhole(store, 'a'))?.equals(content(2, sizeBytes))).toBe(true);
      expect((await buffer(old.stream())).equals(content(1, sizeBytes))).toBe(true);
      expect(old.entry.version).toBe('1');
    }
    expect(store.stats()).toMatchObject({ objects: 1, usedBytes: LARGE });
    await store.close();
    expect((await dataFiles(directory)).count).toBe(2); // the segment, and the newer large file
  });

  it('keeps a deleted object for its reader and counts its bytes until then', async () => {
    const directory = await fixture.directory();
    const store = await fixture.open({ directory });
    await store.put({ path: 'a', version: '1' }, content(1, LARGE));
    const read = store.read('a')!;
    expect(await store.delete('a')).toBe(true);
    expect(await store.delete('a')).toBe(false);
    expect(store.get('a')).toBeUndefined();
    expect(store.read('a')).toBeUndefined();
    expect(store.stats()).toMatchObject({ usedBytes: 0, objects: 0, diskBytes: LARGE });
    expect((await buffer(read.stream())).equals(content(1, LARGE))).toBe(true);
    while (store.stats().diskBytes > 0) await new Promise(setImmediate);
    expect(await dataFiles(directory)).toEqual({ count: 0, bytes: 0 });
  });

  it('keeps metadata without bytes, and bytes rather than metadata of the same version', async () => {
    const store = await fixture.open();
    const entry = await store.putMetadata({ path: 'm', version: '1', jobId: 'j' }, 1234);
    expect(entry).toMatchObject({ metadataOnly: true, sizeBytes: 1234, crc32: 0 });
    expect(store.read('m')).toBeUndefined();
    expect(await store.check('m')).toBe(false);
    expect(store.stats()).toMatchObject({ objects: 0, usedBytes: 0, metadataEntries: 1 });

    await store.put({ path: 'm', version: '1' }, content(1, 1234));
    expect(await store.putMetadata({ path: 'm', version: '1' }, 1234)).not.toHaveProperty('metadataOnly');
    expect(store.stats()).toMatchObject({ objects: 1, usedBytes: 1234, metadataEntries: 0 });
    await store.putMetadata({ path: 'm', version: '2' }, 1234);
    expect(store.stats()).toMatchObject({ objects: 0, usedBytes: 0, metadataEntries: 1 });
    expect(await store.delete('m')).toBe(true);
    expect(store.stats()).toMatchObject({ metadataEntries: 0 });
  });

  it('fault 10: a writer that gets too few or too many bytes leaves nothing', async () => {
    const directory = await fixture.directory();
    const store = await fixture.open({ directory });
    for (const sizeBytes of [SMALL, LARGE]) {
      const short = await store.create({ path: 'a', version: '1' }, sizeBytes);
      await short.write(content(1, sizeBytes - 1));
      await expect(short.commit()).rejects.toThrow(`${sizeBytes - 1} of ${sizeBytes} bytes`);
      const long = await store.create({ path: 'a', version: '1' }, sizeBytes);
      await expect(long.write(content(1, sizeBytes + 1))).rejects.toThrow(`more than the ${sizeBytes}`);
      await expect(long.commit()).rejects.toThrow('ended');
      const aborted = await store.create({ path: 'a', version: '1' }, sizeBytes);
      await aborted.write(content(1, sizeBytes));
      await aborted.abort();
      await aborted.abort();
      await expect(aborted.commit()).rejects.toThrow('ended');
    }
    expect(store.get('a')).toBeUndefined();
    expect(store.stats()).toMatchObject({ objects: 0, usedBytes: 0, diskBytes: 0 });
    expect(await dataFiles(directory)).toEqual({ count: 0, bytes: 0 });
  });

  it('reserves the space of a writer from the start', async () => {
    const store = await fixture.open();
    const writer = await store.create({ path: 'a', version: '1' }, LARGE);
    expect(store.stats()).toMatchObject({ diskBytes: LARGE, usedBytes: 0 });
    await writer.abort();
    expect(store.stats().diskBytes).toBe(0);
  });

  it('faults 17 and 20: any text is a key, distinct and byte-exact, and never a file name', async () => {
    const directory = await fixture.directory();
    const store = await fixture.open({ directory });
    const odd = [
      '../../../etc/passwd',
      '/etc/passwd',
      'nul\0byte',
      '\0',
      'n'.repeat(300),
      'é-nfc',
      'e\u0301-nfd',
      '🐟/🐠',
      'a%2Fb',
      'a/b',
      'a+b',
      'a b',
      'dir',
      'dir/',
      'line\nbreak',
    ];
    for (const [i, path] of odd.entries()) {
      await store.put({ path, version: String(i) }, content(i, i % 2 ? SMALL : LARGE));
    }
    await store.close();
    const again = await fixture.open({ directory });
    for (const [i, path] of odd.entries()) {
      expect(again.get(path)).toMatchObject({ path, version: String(i) });
      expect((await readWhole(again, path))?.equals(content(i, i % 2 ? SMALL : LARGE))).toBe(true);
    }
    expect(paths(again).sort()).toEqual([...odd].sort());
    const names = (await readdir(directory, { recursive: true })).map((name) => name.split('/').at(-1));
    for (const name of names) expect(name).toMatch(/^[\w.-]+$/);
  });

  it('refuses paths that cannot be keys, with an error that says why', async () => {
    const store = await fixture.open();
    const put = (path: string) => store.put({ path, version: '1' }, content(1, 10));
    await expect(put('x'.repeat(1921))).rejects.toThrow(PathTooLongError);
    await expect(put('é'.repeat(961))).rejects.toThrow('1922 bytes');
    await expect(put('')).rejects.toThrow('empty');
    await expect(put('lone \ud800')).rejects.toThrow('Unicode');
    await put('x'.repeat(1920));
    expect(store.get('x'.repeat(1921))).toBeUndefined();
    expect(store.get('')).toBeUndefined();
    expect(await store.delete('x'.repeat(3000))).toBe(false);
    expect(store.stats().objects).toBe(1);
  });

  it('lists by prefix in byte order, from after a path, up to a limit', async () => {
    const store = await fixture.open();
    // UTF-16 order would put 😀 (a surrogate pair) before ﬀ (U+FB00); bytes put it after.
    const ordered = ['a', 'a/', 'a/b', 'a/é', 'a/ﬀ', 'a/😀', 'b'];
    for (const path of [...ordered].reverse()) await store.put({ path, version: '1' }, content(1, 10));
    expect(paths(store)).toEqual(ordered);
    expect(paths(store, 'a/')).toEqual(ordered.slice(1, 6));
    expect(paths(store, 'c')).toEqual([]);
    const list = (prefix: string, options: { after?: string; limit?: number }) =>
      Array.from(store.entries(prefix, options), ({ path }) => path);
    expect(list('a/', { after: 'a/b' })).toEqual(['a/é', 'a/ﬀ', 'a/😀']);
    expect(list('a/', { after: 'a/é', limit: 1 })).toEqual(['a/ﬀ']);
    expect(list('a/', { after: '0' })).toEqual(ordered.slice(1, 6));
    expect(list('a/', { after: 'z' })).toEqual([]);
    expect(list('', { limit: 0 })).toEqual([]);
  });

  it('lists more than a chunk, and goes on while entries come and go', async () => {
    const store = await fixture.open();
    const names = Array.from({ length: 1000 }, (_, i) => `f/${String(i).padStart(4, '0')}`);
    await Promise.all(names.map((path, i) => store.put({ path, version: '1' }, content(i, 20))));
    const seen: string[] = [];
    for (const { path } of store.entries('f/')) {
      seen.push(path);
      if (seen.length === 10) await store.delete('f/0999');
    }
    expect(seen).toEqual(names.slice(0, 999));
  });

  it.each([SMALL, LARGE])('fails a read of changed bytes rather than serving them (%d bytes)', async (sizeBytes) => {
    const directory = await fixture.directory();
    const store = await fixture.open({ directory });
    await store.put({ path: 'a', version: '1' }, content(1, sizeBytes));
    const file = await onlyDataFile(directory);
    const bytes = await readFile(file);
    const last = bytes.length - 1;
    bytes[last] = (bytes[last] ?? 0) ^ 1;
    await writeFile(file, bytes);
    await expect(readWhole(store, 'a')).rejects.toThrow(CorruptObjectError);
    expect(await store.check('a')).toBe(false);
    await truncate(file, bytes.length - 10);
    await expect(readWhole(store, 'a')).rejects.toThrow('shorter');
    expect(await store.check('a')).toBe(false);
  });

  it('refuses work after close, and closes twice', async () => {
    const store = await fixture.open();
    const pending = store.put({ path: 'a', version: '1' }, content(1, 10));
    const writer = await store.create({ path: 'b', version: '1' }, LARGE);
    await Promise.all([store.close(), store.close()]);
    await expect(pending).resolves.toMatchObject({ path: 'a' });
    await expect(store.put({ path: 'c', version: '1' }, content(1, 10))).rejects.toThrow('closed');
    await expect(writer.write(content(1, 10))).rejects.toThrow('ended');
    expect(() => store.get('a')).toThrow('closed');
  });
});

async function onlyDataFile(directory: string): Promise<string> {
  const files: string[] = [];
  for (const folder of ['segments', 'objects']) {
    for (const item of await readdir(join(directory, folder), { recursive: true, withFileTypes: true })) {
      if (item.isFile()) files.push(join(item.parentPath, item.name));
    }
  }
  expect(files).toHaveLength(1);
  return files[0];
}
