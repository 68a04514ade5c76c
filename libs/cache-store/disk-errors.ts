import { statfs } from 'node:fs/promises';

const FULL_CODES = new Set(['ENOSPC', 'EDQUOT']);

export function errorCode(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException | undefined)?.code;
}

/** Whether a file system call failed for want of space. */
export function isDiskFull(error: unknown): boolean {
  return FULL_CODES.has(errorCode(error) ?? '');
}

/** LMDB reports a write cut short by a full disk as a plain I/O error, so the file system itself is asked. */
export async function isFileSystemFull(directory: string, wantedBytes: number): Promise<boolean> {
  const { bavail, bsize } = await statfs(directory);
  return bavail * bsize < wantedBytes;
}
