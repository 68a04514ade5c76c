const FULL_CODES = new Set(['ENOSPC', 'EDQUOT']);

export function errorCode(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException | undefined)?.code;
}

/** Whether a file system call failed for want of space. */
export function isDiskFull(error: unknown): boolean {
  return FULL_CODES.has(errorCode(error) ?? '');
}
