import type { BigIntStats } from 'node:fs';
import * as fs from 'node:fs/promises';
import { isLinkLoop, isVanished } from './file-errors.js';
import type { SpecialKind } from '../types.js';
import type { MountRoot } from './mount-root.js';
import { toSystemPath, type PathBytes } from './path-bytes.js';

/** What a name stands for. Symbolic links to files are followed. */
export type Found =
  | { kind: 'object'; stats: BigIntStats }
  | { kind: 'directory' }
  /** Holds no data of its own: socket, FIFO, device, link to a directory. */
  | { kind: 'special'; special: SpecialKind }
  | { kind: 'rejected'; reason: string };

/**
 * Inspects one name.
 * @param absolute the caller must check the links in its directory part
 * @throws the system's error, `ENOENT` when there is no such name
 */
export async function inspect(root: MountRoot, absolute: PathBytes): Promise<Found> {
  const stats = await fs.lstat(toSystemPath(absolute), { bigint: true });
  if (stats.isSymbolicLink()) return await inspectLink(root, absolute);
  if (stats.isFile()) return { kind: 'object', stats };
  return stats.isDirectory() ? { kind: 'directory' } : { kind: 'special', special: specialKindOf(stats) };
}

function specialKindOf(stats: BigIntStats): SpecialKind {
  if (stats.isFIFO()) return 'fifo';
  if (stats.isSocket()) return 'socket';
  return stats.isBlockDevice() || stats.isCharacterDevice() ? 'device' : 'other';
}

async function inspectLink(root: MountRoot, absolute: PathBytes): Promise<Found> {
  try {
    const real = await fs.realpath(toSystemPath(absolute), 'latin1');
    const stats = await fs.stat(toSystemPath(real), { bigint: true });
    if (stats.isDirectory()) return { kind: 'special', special: 'directoryLink' };
    if (!stats.isFile()) return { kind: 'special', special: specialKindOf(stats) };
    if (await root.contains(real)) return { kind: 'object', stats };
    return { kind: 'rejected', reason: 'The symbolic link leads out of the mount.' };
  } catch (error) {
    if (isVanished(error)) return { kind: 'rejected', reason: 'The symbolic link leads nowhere.' };
    if (isLinkLoop(error)) return { kind: 'rejected', reason: 'The symbolic link leads in circles.' };
    throw error;
  }
}

/** See `UfsObject.version`. Truncates nothing: 64-bit inodes and nanoseconds do not fit a JavaScript number. */
export function versionOf(stats: BigIntStats): string {
  return `${stats.mtimeNs}-${stats.size}-${stats.ino}`;
}
