import { randomBytes } from 'node:crypto';
import { mkdtemp, open, readFile, rm, writeFile, type FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { CopyThreadError } from '../types.js';
import { CopyThreads } from './copy-threads.js';

describe('threads that copy', () => {
  const bytes = randomBytes(1_000_003);
  let directory: string;
  let source: FileHandle;
  let target: FileHandle;
  let threads: CopyThreads;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'larder-copy-'));
    await writeFile(join(directory, 'source'), bytes);
    source = await open(join(directory, 'source'), 'r');
    target = await open(join(directory, 'target'), 'wx');
    threads = new CopyThreads(2);
  });
  afterEach(async () => {
    await threads.close();
    await source.close();
    await target.close();
    await rm(directory, { recursive: true });
  });

  const copied = () => readFile(join(directory, 'target'));
  const task = (position: number, length: number) => ({
    source: { fd: source.fd, position },
    target: target.fd,
    targetPosition: position,
    length,
  });

  it('copy stretches of a file in any order, with the checksum of each', async () => {
    const half = 500_001;
    const ends = await Promise.all([threads.copy(task(half, bytes.length - half)), threads.copy(task(0, half))]);
    expect(ends).toEqual([
      { copiedBytes: bytes.length - half, crc32: crc32(bytes.subarray(half)) },
      { copiedBytes: half, crc32: crc32(bytes.subarray(0, half)) },
    ]);
    expect((await copied()).equals(bytes)).toBe(true);
  });

  it('write shared memory', async () => {
    const shared = Buffer.from(new SharedArrayBuffer(bytes.length));
    bytes.copy(shared);
    const write = { source: shared, target: target.fd, targetPosition: 0, length: bytes.length };
    expect(await threads.copy(write)).toEqual({ copiedBytes: bytes.length, crc32: crc32(bytes) });
    expect((await copied()).equals(bytes)).toBe(true);
  });

  it('tell where a source ends early', async () => {
    expect(await threads.copy(task(1_000_000, 100))).toEqual({
      copiedBytes: 3,
      crc32: crc32(bytes.subarray(1_000_000)),
    });
  });

  it('tell the code of an error, and which side it is of', async () => {
    const unreadable = { ...task(0, 10), source: { fd: target.fd, position: 0 } };
    await expect(threads.copy(unreadable)).rejects.toMatchObject({ code: 'EBADF', syscall: 'read' });
    await expect(threads.copy({ ...task(0, 10), target: source.fd })).rejects.toMatchObject({
      code: 'EBADF',
      syscall: 'write',
    });
    expect(await threads.copy(task(0, 10))).toMatchObject({ copiedBytes: 10 });
  });

  it('a copy whose thread ends is done by another', async () => {
    const flag = new Int32Array(new SharedArrayBuffer(4));
    await threads.close();
    threads = new CopyThreads(1, dyingOnce);
    const write = { source: new Uint8Array(flag.buffer), target: target.fd, targetPosition: 0, length: 4 };
    expect(await threads.copy(write)).toEqual({ copiedBytes: 4, crc32: 7 });
    expect(flag[0]).toBe(1);
  });

  it('a copy that ends every thread fails, and the next one gets a new thread', async () => {
    await threads.close();
    threads = new CopyThreads(1, `require('node:worker_threads').parentPort.on('message', () => process.exit(1));`);
    for (let time = 0; time < 2; time++) await expect(threads.copy(task(0, 10))).rejects.toThrow(CopyThreadError);
  });
});

/** A thread that ends in its first copy: the memory that it gets keeps count. */
const dyingOnce = `
  const { parentPort } = require('node:worker_threads');
  parentPort.on('message', ({ id, source, length }) => {
    const counts = new Int32Array(source.buffer);
    if (Atomics.add(counts, 0, 1) === 0) throw new Error('ended');
    Atomics.store(counts, 0, 1);
    parentPort.postMessage({ id, copiedBytes: length, crc32: 7 });
  });`;
