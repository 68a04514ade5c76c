import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, mkdir, readFile, readdir, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Database } from 'lmdb';
import { CacheIndex } from '../entries/cache-index.js';
import { expectConsistent } from '../fixtures/consistency.js';
import { content, dataFiles, paths, readWhole, StoreFixture, writeInChunks } from '../fixtures/store-fixture.js';
import { CacheOpenError } from '../index.js';

const SMALL = 5_000;
const LARGE = 600_000;

describe('opening a cache directory', () => {
  const fixture = new StoreFixture();
  let directory: string;
  beforeEach(async () => (directory = await fixture.directory()));
  afterEach(() => fixture.cleanUp());

  /** A closed cache of ten small objects and two large ones. */
  async function fill(): Promise<void> {
    const store = await fixture.open({ directory });
    for (let i = 0; i < 10; i++) await store.put({ path: `s${i}`, version: '1' }, content(i, SMALL));
    for (let i = 0; i < 2; i++) await writeInChunks(store, `l${i}`, content(i, LARGE));
    await store.close();
  }

  async function expectAll(): Promise<void> {
    const store = await fixture.open({ directory });
    for (let i = 0; i < 10; i++) expect((await readWhole(store, `s${i}`))?.equals(content(i, SMALL))).toBe(true);
    for (let i = 0; i < 2; i++) expect((await readWhole(store, `l${i}`))?.equals(content(i, LARGE))).toBe(true);
    expect(store.stats()).toMatchObject({ objects: 12, usedBytes: 10 * SMALL + 2 * LARGE });
    expect(store.stats().diskBytes).toBe((await dataFiles(directory)).bytes);
    await store.close();
  }

  it('finds everything again, and goes on in the same segment', async () => {
    await fill();
    await expectAll();
    const store = await fixture.open({ directory });
    await store.put({ path: 's10', version: '1' }, content(10, SMALL));
    expect(await readdir(join(directory, 'segments'))).toEqual(['00000001.seg']);
    expect((await readWhole(store, 's10'))?.equals(content(10, SMALL))).toBe(true);
    expect((await readWhole(store, 's9'))?.equals(content(9, SMALL))).toBe(true);
  });

  it('removes the remains of a crash: temporary files, unreferenced objects and segments, torn tails', async () => {
    await fill();
    const leftovers = ['tmp/00000000000001', 'objects/ff/000000000000ff', 'segments/00000009.seg'];
    await mkdir(join(directory, 'objects/ff'), { recursive: true });
    for (const name of leftovers) await writeFile(join(directory, name), content(1, 1000));
    const segment = join(directory, 'segments/00000001.seg');
    const { size } = await stat(segment);
    await appendFile(segment, content(2, 777));
    await expectAll();
    for (const name of leftovers) await expect(stat(join(directory, name))).rejects.toThrow('ENOENT');
    expect((await stat(segment)).size).toBe(size);
  });

  it('drops entries whose bytes are missing', async () => {
    await fill();
    await truncate(join(directory, 'segments/00000001.seg'), 3 * SMALL);
    await rm(join(directory, 'objects'), { recursive: true });
    const store = await fixture.open({ directory });
    expect(paths(store)).toEqual(['s0', 's1']);
    expect(store.stats()).toMatchObject({ objects: 2, usedBytes: 2 * SMALL });
    expect(fixture.log).toEqual(['Index entries without their bytes are dropped']);
    expect((await readWhole(store, 's1'))?.equals(content(1, SMALL))).toBe(true);
  });

  it.each([
    ['garbage', () => content(1, 100_000)],
    ['a few bytes', () => Buffer.from('hello')],
    ['the first half', (bytes: Buffer) => bytes.subarray(0, 8192)],
  ])('puts an index aside that is %s, and starts empty', async (_name, damage) => {
    await fill();
    const file = join(directory, 'index/data.mdb');
    await writeFile(file, damage(await readFile(file)));
    const store = await fixture.open({ directory });
    expect(fixture.log).toEqual([expect.stringContaining('index is damaged')]);
    expect(paths(store)).toEqual([]);
    expect(store.stats()).toMatchObject({ objects: 0, usedBytes: 0, diskBytes: 0 });
    expect(await dataFiles(directory)).toEqual({ count: 0, bytes: 0 });
    expect(await readdir(join(directory, 'index.quarantined'))).toContain('data.mdb');
    await store.put({ path: 'a', version: '1' }, content(1, SMALL));
    expect((await readWhole(store, 'a'))?.equals(content(1, SMALL))).toBe(true);
  });

  it('tests an index in another process after an opening crashed, and puts it aside if that crashes too', async () => {
    await fill();
    await writeFile(join(directory, 'index.opening'), '');
    await expectAll(); // died for another reason: nothing is wrong with it
    const file = join(directory, 'index/data.mdb');
    const bytes = await readFile(file);
    content(3, bytes.length - 8192).copy(bytes, 8192); // the meta pages stay whole
    await writeFile(file, bytes);
    await writeFile(join(directory, 'index.opening'), '');
    const store = await fixture.open({ directory });
    expect(fixture.log).toEqual([expect.stringContaining('index is damaged')]);
    expect(paths(store)).toEqual([]);
  });

  it('refuses a directory of a newer format, and one that is not Larder’s', async () => {
    await fill();
    await writeFile(join(directory, 'format.json'), '{"format":3}');
    await expect(fixture.open({ directory })).rejects.toThrow(CacheOpenError);
    await expect(fixture.open({ directory })).rejects.toThrow('format 3');
    await writeFile(join(directory, 'format.json'), 'x');
    await expect(fixture.open({ directory })).rejects.toThrow('not JSON');
    await writeFile(join(directory, 'format.json'), '{"format":2}');
    await expectAll();
  });

  it('completes the indexes of a cache of format 1, also after an interruption', async () => {
    await fill();
    const index = new CacheIndex(join(directory, 'index'));
    // A format 1 had the entries and their order of eviction.
    const { tables } = index as unknown as { tables: Record<string, Database> };
    for (const name of ['expiry', 'directories', 'fileIndex']) await tables[name].clearAsync();
    await tables.directories.put(Buffer.from('left/over'), Buffer.alloc(16));
    await index.close();
    await writeFile(join(directory, 'format.json'), '{"format":1}');
    await writeFile(join(directory, 'index.opening'), ''); // the other process that reads it knows both formats
    const store = await fixture.open({ directory });
    expect(fixture.log).toEqual([expect.stringContaining('older format')]);
    expect(store.stats()).toMatchObject({ objects: 12 });
    await expectConsistent(store, directory);
    expect(store.fileIndex.list({ limit: 100 })).toEqual(paths(store));
    expect(store.fileIndex.count()).toBe(12);
    expect(await readFile(join(directory, 'format.json'), 'utf8')).toBe('{"format":2}\n');
    await store.close();
    await expectAll();
    expect(fixture.log).toHaveLength(1);
  });

  it('allows one living process, and refuses any other', async () => {
    const store = await fixture.open({ directory });
    await expect(fixture.open({ directory })).rejects.toThrow(CacheOpenError);
    await expect(fixture.open({ directory })).rejects.toThrow(`process ${process.pid}`);
    await store.close();
    await (await fixture.open({ directory })).close();
    expect((await readdir(directory)).filter((name) => name.startsWith('lock'))).toEqual([]);
  });

  it('takes over the lock of a dead process, also when its pid is that of another process now', async () => {
    const child = spawn('sleep', ['600']);
    await once(child, 'spawn');
    const lock = join(directory, 'lock');
    const holder = { pid: child.pid, startTime: await startTime(child.pid!), bootId: await bootId(), token: 't' };
    await writeFile(lock, JSON.stringify(holder));
    await expect(fixture.open({ directory })).rejects.toThrow(`process ${child.pid}`);
    await writeFile(lock, JSON.stringify({ ...holder, startTime: '1' }));
    await (await fixture.open({ directory })).close();

    child.kill('SIGKILL');
    await once(child, 'exit');
    await writeFile(lock, JSON.stringify(holder));
    // Four at once: exactly one gets it.
    const results = await Promise.allSettled([1, 2, 3, 4].map(() => fixture.open({ directory })));
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const result of results)
      if (result.status === 'rejected') expect(result.reason).toBeInstanceOf(CacheOpenError);
  });
});

async function startTime(pid: number): Promise<string> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8');
  return text.slice(text.lastIndexOf(')') + 2).split(' ')[19];
}

async function bootId(): Promise<string> {
  return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
}
