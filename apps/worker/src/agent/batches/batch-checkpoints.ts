import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { isDiskFull } from '#cache-store';
import type { Checkpoint } from '#contexts/jobs/kinds';
import { PRIVATE_DIRECTORY_MODE, PRIVATE_FILE_MODE } from '#private-files';

/** The notes of a stopped job that was never resumed are removed after this time. */
const maxAgeMs = 7 * 24 * 3_600_000;

/** Notes of the progress of batches, one file each, kept until the batch is settled. They outlive the process. */
export class BatchCheckpoints {
  private readonly unwritten = new Map<string, unknown>();

  /** @param files those that may be there: for all other batches there is nothing to remove */
  private constructor(
    private readonly directory: string,
    private readonly files: Set<string>,
  ) {}

  static async open(directory: string): Promise<BatchCheckpoints> {
    await mkdir(directory, { recursive: true, mode: PRIVATE_DIRECTORY_MODE });
    const files = new Set<string>();
    for (const name of await readdir(directory)) {
      const file = path.join(directory, name);
      if (Date.now() - (await stat(file)).mtimeMs > maxAgeMs) await rm(file, { force: true });
      else files.add(file);
    }
    return new BatchCheckpoints(directory, files);
  }

  of(batchId: string): Checkpoint {
    const file = this.file(batchId);
    return {
      load: async () => {
        if (this.unwritten.has(batchId)) return this.unwritten.get(batchId);
        try {
          return JSON.parse(await readFile(file, 'utf8')) as unknown;
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
          throw error;
        }
      },
      // Written as a whole or not at all. Not synced: a power cut may lose the last note, as it may lose removals. When
      // the disk is full, the note is kept in memory: the batch may be what frees the disk.
      save: async (value) => {
        this.files.add(file);
        try {
          await writeFile(`${file}.new`, JSON.stringify(value), { mode: PRIVATE_FILE_MODE });
          await rename(`${file}.new`, file);
          this.unwritten.delete(batchId);
        } catch (error) {
          if (!isDiskFull(error)) throw error;
          this.unwritten.set(batchId, value);
        }
      },
    };
  }

  async remove(batchId: string): Promise<void> {
    this.unwritten.delete(batchId);
    const file = this.file(batchId);
    if (!this.files.has(file)) return;
    await rm(file, { force: true });
    this.files.delete(file);
  }

  private file(batchId: string): string {
    return path.join(this.directory, `${encodeURIComponent(batchId)}.json`);
  }
}
