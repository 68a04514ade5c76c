import { offAbort, onAbort } from '#async';
import { constants, type BigIntStats } from 'node:fs';
import * as fs from 'node:fs/promises';
import { type ProgressGuard, guarded } from '../progress-guard.js';
import { UfsError, type UfsObject, type UfsRead, type UfsReadOptions } from '../types.js';
import { byteRange } from '../byte-range.js';
import { isLinkLoop, isVanished, toUfsError } from './file-errors.js';
import { versionOf } from './inspect.js';
import type { FilePath, MountRoot } from './mount-root.js';
import { toSystemPath, type PathBytes } from './path-bytes.js';

/** O_NOFOLLOW: a link is opened only after its target was checked. O_NONBLOCK: a FIFO must not block for a writer. */
export const openFlags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
const chunkBytes = 1024 * 1024;

/** A whole file in one buffer, of at most `maxBytes`. */
export async function readFile(
  root: MountRoot,
  path: FilePath,
  options: UfsReadOptions & { maxBytes: number },
  idleTimeoutMs: number,
): Promise<{ object: UfsObject; bytes: Buffer }> {
  return await guarded(path.uri, idleTimeoutMs, options.signal, async (guard) => {
    const handle = await openInside(root, path);
    try {
      const before = await handle.stat({ bigint: true });
      const object = checkedObject(path, before, options.expectedVersion);
      const { start, length } = byteRange(object, options);
      assertFits(path.uri, length, options.maxBytes);
      guard.beat();
      const bytes = Buffer.allocUnsafeSlow(length);
      const filled = await fill(handle, bytes, start, guard);
      assertUnchanged(path.uri, before, await handle.stat({ bigint: true }));
      if (filled < length) throw truncated(path.uri, filled, length);
      return { object, bytes };
    } catch (error) {
      throw toUfsError(error, path.uri);
    } finally {
      await handle.close();
    }
  });
}

/** A file, or a range of it, as a stream of chunks of up to 1 MiB. The handle closes with the body. */
export async function openFile(
  root: MountRoot,
  path: FilePath,
  options: UfsReadOptions,
  idleTimeoutMs: number,
): Promise<UfsRead> {
  return await guarded(path.uri, idleTimeoutMs, options.signal, async (guard) => {
    const handle = await openInside(root, path);
    try {
      const before = await handle.stat({ bigint: true });
      const object = checkedObject(path, before, options.expectedVersion);
      const range = byteRange(object, options);
      guard.beat();
      return { object, body: new FileBody(handle, path.uri, before, range, idleTimeoutMs, options.signal) };
    } catch (error) {
      await handle.close();
      throw toUfsError(error, path.uri);
    }
  });
}

class FileBody implements AsyncIterable<Buffer> {
  constructor(
    private readonly handle: fs.FileHandle,
    private readonly uri: string,
    private readonly before: BigIntStats,
    private readonly range: { start: number; length: number },
    private readonly idleTimeoutMs: number,
    private readonly signal: AbortSignal | undefined,
  ) {
    // A body that is no longer read must not keep the file open.
    if (signal) onAbort(signal, this.onAbort);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer, void, undefined> {
    const end = this.range.start + this.range.length;
    try {
      for (let position = this.range.start; position < end;) {
        const chunk = Buffer.allocUnsafeSlow(Math.min(chunkBytes, end - position));
        const filled = await guarded(this.uri, this.idleTimeoutMs, this.signal, async (guard) => {
          const got = await fill(this.handle, chunk, position, guard);
          // The last chunk is returned only after the check: a reader with all bytes knows that they are of one
          // version.
          if (got < chunk.length || position + got === end) {
            assertUnchanged(this.uri, this.before, await this.handle.stat({ bigint: true }));
          }
          return got;
        });
        position += filled;
        if (filled < chunk.length) throw truncated(this.uri, position - this.range.start, this.range.length);
        yield chunk;
      }
    } catch (error) {
      throw toUfsError(error, this.uri);
    } finally {
      if (this.signal) offAbort(this.signal, this.onAbort);
      await this.handle.close();
    }
  }

  private readonly onAbort = (): void => {
    // Closing waits for a pending read and may be repeated. Its error has no receiver any more.
    this.handle.close().catch(() => undefined);
  };
}

/**
 * Opens a file that is proven to lie inside the root. The check is on the opened file, so replacing the name cannot
 * pass it.
 */
export async function openInside(root: MountRoot, path: FilePath): Promise<fs.FileHandle> {
  const handle = await openNoFollow(root, path);
  try {
    if (await root.contains(await realPathOf(handle, path.absolute))) return handle;
    throw root.outside(path.uri, 'A symbolic link on the path leaves the mount');
  } catch (error) {
    await handle.close();
    throw toUfsError(error, path.uri);
  }
}

async function openNoFollow(root: MountRoot, path: FilePath): Promise<fs.FileHandle> {
  try {
    if (path.endsWithSlash) await assertDirectory(path);
    return await fs.open(path.absolute, openFlags).catch(async (error: unknown) => {
      if (!isLinkLoop(error)) throw error;
      const target = await fs.realpath(path.absolute, 'latin1');
      if (!(await root.contains(target))) throw root.outside(path.uri, 'The symbolic link leads out of the mount');
      return await fs.open(toSystemPath(target), openFlags);
    });
  } catch (error) {
    throw toUfsError(error, path.uri);
  }
}

/** A path with `/` at its end names a directory or nothing. */
async function assertDirectory(path: FilePath): Promise<never> {
  await fs.access(`${path.absolute}/`);
  throw isDirectory(path.uri);
}

/** Linux gives the path of an open file. Without /proc the name is resolved once more. */
async function realPathOf(handle: fs.FileHandle, absolute: string): Promise<PathBytes> {
  try {
    return await fs.readlink(`/proc/self/fd/${handle.fd}`, 'latin1');
  } catch (error) {
    if (!isVanished(error)) throw error;
    return await fs.realpath(absolute, 'latin1');
  }
}

/** @returns how many bytes there were; fewer than fit mean the end of the file */
async function fill(handle: fs.FileHandle, buffer: Buffer, position: number, guard: ProgressGuard): Promise<number> {
  let filled = 0;
  while (filled < buffer.length) {
    const { bytesRead } = await handle.read(buffer, filled, buffer.length - filled, position + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
    guard.beat();
  }
  return filled;
}

export function checkedObject(path: FilePath, stats: BigIntStats, expectedVersion: string | undefined): UfsObject {
  if (stats.isDirectory()) throw isDirectory(path.uri);
  if (!stats.isFile()) throw new UfsError('Invalid', path.uri, `The path is no regular file: ${path.uri}.`);
  const object = { path: path.uri, sizeBytes: Number(stats.size), version: versionOf(stats) };
  if (expectedVersion !== undefined && expectedVersion !== object.version) {
    throw new UfsError('Changed', path.uri, `The file has changed since it was listed: ${path.uri}.`);
  }
  return object;
}

export function assertFits(uri: string, length: number, maxBytes: number): void {
  if (length > maxBytes) {
    throw new UfsError('TooLarge', uri, `The file has ${length} bytes, more than the ${maxBytes} asked for: ${uri}.`);
  }
}

/** Compares the change time too: it shows a write after which someone set the modification time back. */
export function assertUnchanged(uri: string, before: BigIntStats, after: BigIntStats): void {
  if (versionOf(before) !== versionOf(after) || before.ctimeNs !== after.ctimeNs) {
    throw new UfsError('Changed', uri, `The file changed while it was read: ${uri}.`);
  }
}

export function truncated(uri: string, got: number, wanted: number): UfsError {
  return new UfsError('Truncated', uri, `The file ended after ${got} of ${wanted} bytes: ${uri}.`);
}

export function isDirectory(uri: string): UfsError {
  return new UfsError('IsDirectory', uri, `The path is a directory: ${uri}.`);
}
