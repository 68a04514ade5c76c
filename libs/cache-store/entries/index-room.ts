import { open, type FileHandle } from 'node:fs/promises';
import { isDiskFull } from '../disk/disk-errors.js';

const EXTENSION_BYTES = 256 << 10;

/** The end of LMDB's file in pages, from its statistics. */
export interface IndexExtent {
  pageBytes: number;
  usedPages: number;
}

/**
 * Ensures that LMDB never meets a full disk. lmdb 3.5.6 damages its own heap when a page cannot be written (seen with
 * ENOSPC: "corrupted size vs. prev_size"). So before every transaction that might need them, its file is filled with
 * zeros beyond the last page in use, and synced. A full disk then shows here, as an error, before anything has begun.
 *
 * Some more pages are kept for transactions that only remove. With copy on write these need room too: without the
 * pages, nothing could be evicted from a full disk.
 */
export class IndexRoom {
  private fileBytes = 0;
  private handle: FileHandle | undefined;

  constructor(private readonly file: string) {}

  /**
   * Ensures that a transaction can write `pages` new pages and leave `keptPages` for later.
   * @throws Error with code ENOSPC or EDQUOT, and `wantedBytes` of disk
   */
  async ensure({ pageBytes, usedPages }: IndexExtent, pages: number, keptPages: number): Promise<void> {
    const neededBytes = (usedPages + pages + keptPages) * pageBytes;
    if (neededBytes <= this.fileBytes) return;
    this.handle ??= await open(this.file, 'r+');
    this.fileBytes = (await this.handle.stat()).size;
    if (neededBytes <= this.fileBytes) return;
    const before = this.fileBytes;
    const goalBytes = Math.ceil(neededBytes / EXTENSION_BYTES) * EXTENSION_BYTES;
    try {
      await this.extend(this.handle, goalBytes);
    } catch (error) {
      if (!isDiskFull(error)) throw error;
      // The small rest is more useful to the files of objects.
      await this.handle.truncate(before);
      this.fileBytes = before;
      throw Object.assign(error as Error, { wantedBytes: goalBytes - before });
    }
  }

  async close(): Promise<void> {
    await this.handle?.close();
    this.handle = undefined;
  }

  private async extend(handle: FileHandle, goalBytes: number): Promise<void> {
    const zeros = Buffer.alloc(EXTENSION_BYTES);
    let end = this.fileBytes;
    while (end < goalBytes) {
      const { bytesWritten } = await handle.write(zeros, 0, Math.min(zeros.length, goalBytes - end), end);
      end += bytesWritten;
    }
    await handle.datasync();
    this.fileBytes = end;
  }
}
