import * as fs from 'node:fs/promises';
import { hasControlCharacter, printable } from '../names.js';
import { UfsError } from '../types.js';
import { toUfsError } from './file-errors.js';
import { toPathBytes, toSystemPath, type PathBytes } from './path-bytes.js';

const scheme = 'file://';

/** A path of the connector, checked and split. */
export interface FilePath {
  /** As given, without trailing `/`. */
  uri: string;
  /** Absolute path in the file system, without trailing `/` (but `/` itself). */
  absolute: string;
  /** The caller wrote a `/` at the end: means the directory, never a file. */
  endsWithSlash: boolean;
}

/** The directory that a `file://` mount gives access to, and only that. */
export class MountRoot {
  /** Absolute, without trailing `/`; '' stands for the file system's root. */
  private readonly directory: string;
  private real: PathBytes | undefined;

  /** @param uri `file:///absolute/directory/`, the trailing `/` optional. @throws UfsError `Invalid` */
  constructor(readonly uri: string) {
    if (!uri.startsWith(`${scheme}/`)) {
      throw new UfsError('Invalid', uri, `A file mount is written file:///absolute/directory/, not ${printable(uri)}.`);
    }
    const absolute = uri.slice(scheme.length).replace(/\/+$/, '');
    const fault = pathFault(absolute);
    if (fault !== undefined) throw new UfsError('Invalid', uri, `${fault.sentence}: ${printable(uri)}.`);
    this.directory = absolute;
  }

  /** @throws UfsError `Outside` for a path that is not below the root, `Invalid` for one that cannot name a file */
  parse(path: string): FilePath {
    const endsWithSlash = path.endsWith('/');
    const absolute = path.slice(scheme.length).replace(/\/$/, '');
    if (!path.startsWith(scheme) || (absolute !== this.directory && !absolute.startsWith(`${this.directory}/`))) {
      throw this.outside(path, 'The path lies outside the mount');
    }
    const fault = pathFault(absolute);
    if (fault !== undefined) throw new UfsError(fault.code, path, `${fault.sentence}: ${printable(path)}.`);
    return { uri: scheme + absolute, absolute: absolute === '' ? '/' : absolute, endsWithSlash };
  }

  isRoot(path: FilePath): boolean {
    return path.absolute === (this.directory === '' ? '/' : this.directory);
  }

  outside(path: string, sentence: string): UfsError {
    return new UfsError('Outside', path, `${sentence} (${this.uri}): ${printable(path)}.`);
  }

  /**
   * The root with all symbolic links resolved. Resolved again when `fresh`: the root may be a link, and an operator may
   * change it.
   * @throws UfsError `NotFound` when the root does not exist: an empty listing would look like an empty mount
   */
  async realPath(fresh = false): Promise<PathBytes> {
    if (this.real !== undefined && !fresh) return this.real;
    try {
      return (this.real = await fs.realpath(this.directory || '/', 'latin1'));
    } catch (error) {
      throw toUfsError(error, this.uri);
    }
  }

  /** `contains` by the known real path of the root. False can also mean that it must be resolved again. */
  isKnownInside(real: PathBytes): boolean {
    return this.real !== undefined && isBelow(this.real, real);
  }

  /** Whether a real path is the root or lies below it. */
  async contains(real: PathBytes): Promise<boolean> {
    return isBelow(await this.realPath(), real) || isBelow(await this.realPath(true), real);
  }

  /**
   * The real path of `path`'s directory plus its last name: resolves every link but the last.
   * @throws UfsError `Outside` when a link on the way leaves the root; the system's error when the way ends
   */
  async resolveParent(path: FilePath): Promise<PathBytes> {
    if (this.isRoot(path)) return await this.realPath(true);
    const slash = path.absolute.lastIndexOf('/');
    const parent = await fs.realpath(path.absolute.slice(0, slash) || '/', 'latin1');
    if (!(await this.contains(parent))) throw this.outside(path.uri, 'A symbolic link on the path leaves the mount');
    return `${parent === '/' ? '' : parent}/${toPathBytes(path.absolute.slice(slash + 1))}`;
  }
}

/**
 * Checks the directory of a mount from this process.
 * @returns a sentence where it does not exist or may not be read: both can be repaired, and another machine may see it
 * @throws UfsError `Invalid` where there is something other than a directory
 */
export async function probeFileRoot(uri: string): Promise<string | undefined> {
  const root = new MountRoot(uri);
  let isDirectory: boolean;
  try {
    const real = await root.realPath();
    isDirectory = (await fs.stat(toSystemPath(real))).isDirectory();
    if (isDirectory) {
      // To list it, and to reach what is in it.
      await (await fs.opendir(toSystemPath(real))).close();
      await fs.stat(toSystemPath(`${real}/.`));
    }
  } catch (error) {
    const known = toUfsError(error, uri);
    if (!(known instanceof UfsError)) throw error;
    // The general text is about a file's path: it would say "no such file".
    return known.code === 'NotFound' ? `There is no such directory: ${printable(uri)}.` : known.message;
  }
  if (isDirectory) return undefined;
  throw new UfsError('Invalid', uri, `A file mount must be a directory, and this is none: ${printable(uri)}.`);
}

function isBelow(root: PathBytes, real: PathBytes): boolean {
  return real === root || real.startsWith(root === '/' ? root : `${root}/`);
}

function pathFault(absolute: string): { code: 'Outside' | 'Invalid'; sentence: string } | undefined {
  if (absolute.includes('\0')) return { code: 'Outside', sentence: 'The path holds a NUL character' };
  const segments = absolute.split('/').slice(1);
  if (segments.some((segment) => segment === '.' || segment === '..')) {
    return { code: 'Outside', sentence: 'The path has a segment . or ..' };
  }
  if (segments.includes('')) return { code: 'Invalid', sentence: 'The path has an empty segment' };
  if (hasControlCharacter(absolute)) return { code: 'Invalid', sentence: 'The path holds a control character' };
  // A lone surrogate has no UTF-8 form: the system would receive another name than the given one.
  return absolute.isWellFormed() ? undefined : { code: 'Invalid', sentence: 'The path is not valid Unicode' };
}
