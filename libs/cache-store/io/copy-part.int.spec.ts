import { open, readdir, rm, writeFile, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { content, dataFiles, readWhole, StoreFixture } from '../fixtures/store-fixture.js';
import type { CacheStore } from '../index.js';

const sizeBytes = 3 * 1024 * 1024 + 17;

describe('parts that are copied from an open file', () => {
  const fixture = new StoreFixture();
  const bytes = content(1, sizeBytes);
  let store: CacheStore;
  let directory: string;
  let source: FileHandle;

  beforeEach(async () => {
    directory = await fixture.directory();
    const file = join(await fixture.directory(), 'source');
    await writeFile(file, bytes);
    source = await open(file, 'r');
    store = await fixture.open({ directory });
  });
  afterEach(async () => {
    await source.close();
    await fixture.cleanUp();
  });

  const part = 1024 * 1024;
  const at = (position: number) => ({ fd: source.fd, position });

  it('make an object with the checksum of the whole', async () => {
    const writer = await store.create({ path: 'f/copied', version: '1' }, sizeBytes);
    const lengthOf = (offset: number) => Math.min(part, sizeBytes - offset);
    const offsets = [3 * part, part, 0, 2 * part];
    await Promise.all(offsets.map((offset) => writer.copyPart(offset, lengthOf(offset), at(offset))));
    expect(await writer.commit()).toMatchObject({ sizeBytes, crc32: crc32(bytes) });
    expect((await readWhole(store, 'f/copied'))?.equals(bytes)).toBe(true);
    expect(await store.check('f/copied')).toBe(true);
    expect((await dataFiles(directory)).bytes).toBe(store.stats().diskBytes);
  });

  it('can be mixed with parts from memory, shared or not', async () => {
    const shared = Buffer.from(new SharedArrayBuffer(part));
    bytes.copy(shared, 0, part, 2 * part);
    const writer = await store.create({ path: 'f/mixed', version: '1' }, sizeBytes);
    await Promise.all([
      writer.writePart(0, bytes.subarray(0, part)),
      writer.writePart(part, shared),
      writer.copyPart(2 * part, sizeBytes - 2 * part, at(2 * part)),
    ]);
    expect(await writer.commit()).toMatchObject({ crc32: crc32(bytes) });
    expect((await readWhole(store, 'f/mixed'))?.equals(bytes)).toBe(true);
  });

  it('leave nothing when the source ends early', async () => {
    const writer = await store.create({ path: 'f/short', version: '1' }, sizeBytes);
    await expect(writer.copyPart(0, sizeBytes, at(100))).rejects.toThrow(RangeError);
    await expect(writer.commit()).rejects.toThrow();
    await expectNothingLeft();
  });

  it('leave nothing when the writer is aborted while they are copied', async () => {
    const writer = await store.create({ path: 'f/aborted', version: '1' }, sizeBytes);
    const copies = [0, part, 2 * part].map((offset) => writer.copyPart(offset, part, at(offset)));
    const [, ...ends] = await Promise.all([writer.abort(), ...copies.map((copy) => copy.catch(() => 'failed'))]);
    expect(ends).toHaveLength(3);
    await expect(writer.copyPart(0, part, at(0))).rejects.toThrow('the writer has ended');
    await expectNothingLeft();
  });

  it('end before the store has closed', async () => {
    const writer = await store.create({ path: 'f/closing', version: '1' }, sizeBytes);
    const copies = [0, part, 2 * part].map((offset) => writer.copyPart(offset, part, at(offset)).catch(() => 'failed'));
    await store.close();
    await Promise.all(copies);
    expect(await readdir(join(directory, 'tmp'))).toEqual([]);
  });

  it('fail with the error of the source where that cannot be read', async () => {
    const writer = await store.create({ path: 'f/unreadable', version: '1' }, sizeBytes);
    const unreadable = await open(join(directory, 'write-only'), 'w');
    await expect(writer.copyPart(0, part, { fd: unreadable.fd, position: 0 })).rejects.toMatchObject({
      syscall: 'read',
    });
    await unreadable.close();
    await rm(join(directory, 'write-only'));
    await expectNothingLeft();
  });

  async function expectNothingLeft(): Promise<void> {
    expect((await dataFiles(directory)).bytes).toBe(0);
    expect(store.stats()).toMatchObject({ diskBytes: 0, objects: 0 });
  }
});
