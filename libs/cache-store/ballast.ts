import { rm, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errorCode, isDiskFull, isFileSystemFull } from './disk-errors.js';

const MAX_BALLAST_BYTES = 4 << 20;
const MIN_BALLAST_BYTES = 256 << 10;

/**
 * A file that holds some disk space back. LMDB copies pages on write, so even deleting an entry needs free space; on a
 * full disk nothing could be evicted and the disk would stay full. Giving the ballast up makes room for just that.
 */
export class Ballast {
  private readonly sizeBytes: number;
  private present = false;

  constructor(
    private readonly file: string,
    capacityBytes: number,
  ) {
    this.sizeBytes = Math.min(MAX_BALLAST_BYTES, Math.max(MIN_BALLAST_BYTES, Math.floor(capacityBytes / 64)));
  }

  /** Puts the ballast (back) in place if the disk has room for it; having none is no error. */
  async restore(): Promise<void> {
    if (this.present) return;
    if ((await sizeOf(this.file)) !== this.sizeBytes) {
      try {
        await writeFile(this.file, Buffer.alloc(this.sizeBytes), { flush: true });
      } catch (error) {
        await rm(this.file, { force: true });
        if (isDiskFull(error)) return;
        throw error;
      }
    }
    this.present = true;
  }

  /** Runs an index write; if the disk is full, once more without the ballast. @throws Error with code ENOSPC */
  async guard(write: () => Promise<void>): Promise<void> {
    try {
      await write();
    } catch (error) {
      if (!(await this.isFull(error))) throw error;
      if (!this.present) throw diskFull(error);
      this.present = false;
      await rm(this.file, { force: true });
      try {
        await write();
      } catch (again) {
        throw (await this.isFull(again)) ? diskFull(again) : again;
      }
    }
  }

  private async isFull(error: unknown): Promise<boolean> {
    return isDiskFull(error) || (await isFileSystemFull(dirname(this.file), this.sizeBytes));
  }
}

function diskFull(cause: unknown): Error {
  return Object.assign(new Error('No space left on the device for the cache index', { cause }), { code: 'ENOSPC' });
}

async function sizeOf(file: string): Promise<number | undefined> {
  try {
    return (await stat(file)).size;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}
