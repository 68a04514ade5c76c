import { closeSync, fstatSync, openSync, readSync, readlinkSync } from 'node:fs';
import { byteRange } from '../byte-range.js';
import type { UfsObject, UfsReadOptions } from '../types.js';
import { isLinkLoop, isVanished, toUfsError } from './file-errors.js';
import { assertFits, assertUnchanged, checkedObject, openFlags, truncated } from './file-reader.js';
import type { FilePath, MountRoot } from './mount-root.js';

/** Larger files take most of their time for copying, where a blocking read saves nothing. */
const blockingAtMostBytes = 1024 * 1024;

/**
 * `readFile` with blocking system calls, for threads that only do transfers: the way through libuv's thread pool costs
 * several times as much as reading a small file.
 * @returns undefined for special cases (a symbolic link, a large file), which `readFile` handles
 */
export function readFileBlocking(
  root: MountRoot,
  path: FilePath,
  options: UfsReadOptions & { maxBytes: number },
): { object: UfsObject; bytes: Buffer } | undefined {
  const fd = openPlain(path);
  if (fd === undefined) return undefined;
  try {
    if (!root.isKnownInside(readlinkSync(`/proc/self/fd/${fd}`, 'latin1'))) return undefined;
    const before = fstatSync(fd, { bigint: true });
    const object = checkedObject(path, before, options.expectedVersion);
    const { start, length } = byteRange(object, options);
    assertFits(path.uri, length, options.maxBytes);
    if (length > blockingAtMostBytes) return undefined;
    const bytes = Buffer.allocUnsafeSlow(length);
    const filled = fill(fd, bytes, start);
    assertUnchanged(path.uri, before, fstatSync(fd, { bigint: true }));
    if (filled < length) throw truncated(path.uri, filled, length);
    return { object, bytes };
  } catch (error) {
    // No /proc here: `readFile` has another way to prove the path.
    if (isVanished(error)) return undefined;
    throw toUfsError(error, path.uri);
  } finally {
    closeSync(fd);
  }
}

function openPlain(path: FilePath): number | undefined {
  if (path.endsWithSlash) return undefined;
  try {
    return openSync(path.absolute, openFlags);
  } catch (error) {
    if (isLinkLoop(error)) return undefined;
    throw toUfsError(error, path.uri);
  }
}

function fill(fd: number, bytes: Buffer, position: number): number {
  let filled = 0;
  while (filled < bytes.length) {
    const read = readSync(fd, bytes, filled, bytes.length - filled, position + filled);
    if (read === 0) break;
    filled += read;
  }
  return filled;
}
