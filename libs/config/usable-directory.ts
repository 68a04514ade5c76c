import fs from 'node:fs';
import path from 'node:path';
import { ConfigError } from './config-error.js';

type SystemError = NodeJS.ErrnoException;

/** Room for the first file that the directory's user will write. */
const probeBytes = 4096;

/**
 * Makes sure that a directory exists and that this process can write into it. It creates the directory and its parents,
 * each folder by itself: Node's own recursive way never ends where a file system accepts no folders, as below /proc.
 *
 * @param setting the variable that names it
 * @param options `whole`: the setting's value, if `directory` is a part of it. `mayBeFull`: the directory's user
 *   handles a full disk itself.
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
 * Makes sure that a file can be created or overwritten in an existing directory.
 * @throws ConfigError as `makeUsableDirectory`
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

/** Whether a file system call failed at a path within this directory. */
export function failedWithin(directory: string, error: unknown): error is SystemError {
  const { code, syscall, path: at } = (error ?? {}) as SystemError;
  if (typeof code !== 'string' || syscall === undefined || typeof at !== 'string') return false;
  const relative = path.relative(path.resolve(directory), path.resolve(at));
  return relative !== '..' && !relative.startsWith(`..${path.sep}`) && !path.isAbsolute(relative);
}

/** Turns the error of a file system call into one sentence about the setting that names the directory. */
export function directoryFault(setting: string, directory: string, error: unknown): ConfigError {
  return new ConfigError([
    `${setting} is ${JSON.stringify(directory)}: that directory cannot be used: ${reasonOf(error)}.`,
  ]);
}

/** The same for a file. */
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
    // The root always exists. If it did not, nothing would be created.
    if (at === path.dirname(at)) break;
  }
  for (const one of missing.reverse()) {
    try {
      fs.mkdirSync(one, { mode: 0o700 });
    } catch (error) {
      // Another process may have created it meanwhile.
      if ((error as SystemError).code !== 'EEXIST' || !fs.statSync(one).isDirectory()) throw error;
    }
  }
}

/** Writes a file and removes it: permissions, flags and quotas can only be found by trying. */
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
  ENOTDIR: (at) => `${at} is not a directory`,
  EISDIR: (at) => `${at} is a directory`,
  EEXIST: (at) => `${at} exists and is not a directory`,
  ENOTREG: (at) => `${at} exists and is not an ordinary file`,
  ELINK: (at) => `${at} is a link to a missing file`,
  ELOOP: (at) => `${at} is a link that leads to itself`,
  ENAMETOOLONG: () => 'its name is too long',
  ENOENT: (at) => `${at} does not exist and cannot be created`,
  EINVAL: (at) => `${at} is not a name that its file system accepts`,
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
