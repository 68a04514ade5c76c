import fs from 'node:fs';
import path from 'node:path';
import { ConfigError } from './config-error.js';

type SystemError = NodeJS.ErrnoException;

/** Enough for the first file of whoever is going to write there. */
const probeBytes = 4096;

/**
 * Makes sure that a directory is there, made with its parents where it is not, and that this process can write into it.
 * Each folder is made by itself: Node's own way of making parents never ends where a file system takes none, as below
 * /proc.
 *
 * @param setting the variable that names it
 * @param options `whole`: as the setting has it, where `directory` is a part of that. `mayBeFull`: its user has its own
 *   ways with a disk without room.
 * @throws ConfigError with one sentence that names the setting, the path and what is wrong with it
 */
export function makeUsableDirectory(
  setting: string,
  directory: string,
  { whole = directory, mayBeFull = false }: { whole?: string; mayBeFull?: boolean } = {},
): void {
  try {
    makeDirectory(path.resolve(directory));
    probe(directory);
  } catch (error) {
    if (mayBeFull && isFull(error)) return;
    throw directoryFault(setting, whole, error);
  }
}

/**
 * Makes sure that a file can be written, or written anew, in a directory that is there.
 * @throws ConfigError likewise
 */
export function requireWritableFile(setting: string, file: string): void {
  try {
    const found = fs.statSync(file, { throwIfNoEntry: false });
    if (found && !found.isFile()) throw fault('ENOTREG', file);
    if (found) fs.accessSync(file, fs.constants.R_OK | fs.constants.W_OK);
    probe(path.dirname(file));
  } catch (error) {
    throw fileFault(setting, file, error);
  }
}

/** Whether a call of the file system failed at a path within this directory. */
export function failedWithin(directory: string, error: unknown): error is SystemError {
  const { code, syscall, path: at } = (error ?? {}) as SystemError;
  if (typeof code !== 'string' || syscall === undefined || typeof at !== 'string') return false;
  const relative = path.relative(path.resolve(directory), path.resolve(at));
  return relative !== '..' && !relative.startsWith(`..${path.sep}`) && !path.isAbsolute(relative);
}

/** What a failed call says about a directory, as the one sentence for whoever named it. */
export function directoryFault(setting: string, directory: string, error: unknown): ConfigError {
  return new ConfigError([
    `${setting} is ${JSON.stringify(directory)}: that directory cannot be used: ${reasonOf(error)}.`,
  ]);
}

/** The same about a file. */
export function fileFault(setting: string, file: string, error: unknown): ConfigError {
  return new ConfigError([`${setting} is ${JSON.stringify(file)}: that file cannot be used: ${reasonOf(error)}.`]);
}

function makeDirectory(directory: string): void {
  const missing: string[] = [];
  for (let at = directory; ; at = path.dirname(at)) {
    const found = fs.statSync(at, { throwIfNoEntry: false });
    if (found?.isDirectory()) break;
    if (found) throw fault('ENOTDIR', at);
    if (fs.lstatSync(at, { throwIfNoEntry: false })) throw fault('ELINK', at);
    missing.push(at);
    // The root is always there; should it not be, nothing is made.
    if (at === path.dirname(at)) break;
  }
  for (const one of missing.reverse()) {
    try {
      fs.mkdirSync(one, { mode: 0o700 });
    } catch (error) {
      // Made by somebody else meanwhile.
      if ((error as SystemError).code !== 'EEXIST' || !fs.statSync(one).isDirectory()) throw error;
    }
  }
}

/** Writes a file and takes it away again: permissions, flags and quotas are not told by looking. */
function probe(directory: string): void {
  const file = path.join(directory, probeName());
  const descriptor = fs.openSync(file, 'w', 0o600);
  try {
    fs.writeSync(descriptor, Buffer.alloc(probeBytes));
    fs.fsyncSync(descriptor);
  } finally {
    fs.closeSync(descriptor);
    fs.rmSync(file, { force: true });
  }
}

const probeName = () => `.larder-probe.${process.pid}`;

function isFull(error: unknown): boolean {
  return ['ENOSPC', 'EDQUOT'].includes((error as SystemError).code ?? '');
}

function fault(code: string, at: string): SystemError {
  return Object.assign(new Error(code), { code, path: at });
}

const reasons: Readonly<Record<string, (at: string) => string>> = {
  EACCES: (at) => `permission is denied at ${at}`,
  EPERM: (at) => `the operation is not permitted at ${at}`,
  EROFS: (at) => `the file system of ${at} is read-only`,
  ENOSPC: (at) => `there is no space left on the disk of ${at}`,
  EDQUOT: (at) => `the disk quota is used up at ${at}`,
  ENOTDIR: (at) => `${at} is no directory`,
  EISDIR: (at) => `${at} is a directory`,
  EEXIST: (at) => `${at} is there, and is no directory`,
  ENOTREG: (at) => `${at} is there, and is no ordinary file`,
  ELINK: (at) => `${at} is a link to something that is not there`,
  ELOOP: (at) => `${at} is a link that leads to itself`,
  ENAMETOOLONG: () => 'its name is too long',
  ENOENT: (at) => `${at} is not there and cannot be made`,
  EINVAL: (at) => `${at} is no name that its file system takes`,
  EIO: (at) => `the disk of ${at} reports an error`,
  EMFILE: () => 'this process may not open any more files',
  ENODEV: (at) => `${at} is on no disk`,
  EBUSY: (at) => `${at} is in use`,
};

function reasonOf(error: unknown): string {
  const { code = '', path: at = 'its place', message } = error as SystemError;
  const reason = reasons[code]?.(at.endsWith(probeName()) ? path.dirname(at) : at);
  return reason ?? message;
}
