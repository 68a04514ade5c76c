import { errnoOf } from '../errno.js';
import { UfsError, type UfsErrorCode } from '../types.js';
import { printable } from '../names.js';

/** True when the name does not exist: it vanished, or a part of its path is not (or no longer) a directory. */
export function isVanished(error: unknown): boolean {
  const errno = errnoOf(error);
  return errno === 'ENOENT' || errno === 'ENOTDIR';
}

export function isNameTooLong(error: unknown): boolean {
  return errnoOf(error) === 'ENAMETOOLONG';
}

/** True when a chain of symbolic links has no end, or when O_NOFOLLOW met one. */
export function isLinkLoop(error: unknown): boolean {
  return errnoOf(error) === 'ELOOP';
}

const meaning: Record<string, readonly [UfsErrorCode, string]> = {
  ENOENT: ['NotFound', 'There is no such file'],
  ENOTDIR: ['NotFound', 'There is no such file'],
  ENAMETOOLONG: ['NotFound', 'The name is longer than the file system allows'],
  ELOOP: ['NotFound', 'The symbolic link leads in circles'],
  EISDIR: ['IsDirectory', 'The path is a directory'],
  ENXIO: ['Invalid', 'The path is no regular file'],
  ENODEV: ['Invalid', 'The path is no regular file'],
  EACCES: ['Forbidden', 'Permission denied'],
  EPERM: ['Forbidden', 'Permission denied'],
  ESTALE: ['Unavailable', 'The file system lost the file (stale handle)'],
  EIO: ['Unavailable', 'The disk or file system reported an I/O error'],
  EMFILE: ['Unavailable', 'The process has too many files open'],
  ENFILE: ['Unavailable', 'The machine has too many files open'],
};

/** Faults of the process or the machine, not of the requested name: another try may help. */
const ownErrors = new Set(['EMFILE', 'ENFILE', 'ENOMEM', 'ENOBUFS', 'EAGAIN', 'EINTR']);

/**
 * Why one name of a walk cannot be read, as a sentence: the rest of the tree can be read.
 * @returns undefined for an error that is not a fault of that name
 */
export function entryFault(error: unknown, what: 'directory' | 'file'): string | undefined {
  const errno = errnoOf(error);
  if (errno === undefined || error instanceof UfsError || errno.startsWith('ERR_') || ownErrors.has(errno)) {
    return undefined;
  }
  if (isNameTooLong(error)) return 'The path is longer than the system allows.';
  if (isVanished(error) || isLinkLoop(error)) return `The ${what} vanished during the walk (${errno}).`;
  const [, sentence] = meaning[errno] ?? ['Unavailable', 'The file system reported an error'];
  return `${sentence} (${errno}).`;
}

/**
 * Turns the error of a `node:fs` call into a UfsError. UfsErrors and errors that are not the system's (bugs) stay as
 * they are.
 */
export function toUfsError(error: unknown, path: string): unknown {
  const errno = errnoOf(error);
  if (errno === undefined || error instanceof UfsError || errno.startsWith('ERR_')) return error;
  const [code, sentence] = meaning[errno] ?? ['Unavailable', 'The file system reported an error'];
  return new UfsError(code, path, `${sentence} (${errno}): ${printable(path)}.`, { cause: error });
}
