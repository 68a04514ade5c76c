import { DiskFullError } from '../types.js';

const FULL_CODES = new Set(['ENOSPC', 'EDQUOT']);

export function errorCode(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException | undefined)?.code;
}

/** Whether a file system call failed for lack of space. */
export function isDiskFull(error: unknown): boolean {
  return FULL_CODES.has(errorCode(error) ?? '');
}

export function asDiskFullError(error: unknown): unknown {
  return isDiskFull(error)
    ? new DiskFullError('The disk is full: no space left on the device', undefined, { cause: error })
    : error;
}
