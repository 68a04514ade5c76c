import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { isDiskFull } from '#cache-store';
import { PRIVATE_DIRECTORY_MODE, PRIVATE_FILE_MODE } from '#private-files';
import { z } from 'zod';

const noteSchema = z.object({
  jobId: z.string(),
  batchId: z.string(),
  /** How many processes died while executing the batch. */
  crashes: z.number(),
  /** The process that wrote the note is executing the batch. */
  running: z.boolean(),
});
type Note = z.infer<typeof noteSchema>;

/**
 * Notes on disk which batches are running. After a restart this identifies a batch that kills the process: a note that
 * an earlier process left as running names a batch that ran when that process died.
 * Not synced to disk: a crash of the process does not lose the page cache, and a crash of the machine is not the fault
 * of a batch. When the disk is full, nothing is noted: the batch must go on, as it may be what frees the disk.
 */
export class RunningJournal {
  /** The batches that have a note on disk: for all others there is nothing to remove. */
  private readonly noted = new Set<string>();

  private constructor(
    private readonly directory: string,
    private readonly suspectNotes: Map<string, Note>,
  ) {}

  static async open(directory: string): Promise<RunningJournal> {
    await mkdir(directory, { recursive: true, mode: PRIVATE_DIRECTORY_MODE });
    const journal = new RunningJournal(directory, new Map());
    for (const name of await readdir(directory)) {
      const note = await readNote(path.join(directory, name));
      // The crash cut the note off before it held anything. The batch will be delivered again as if for the first time.
      if (!note) await rm(path.join(directory, name), { force: true });
      else await journal.suspect({ ...note, running: false, crashes: note.crashes + (note.running ? 1 : 0) });
    }
    return journal;
  }

  /** Batches whose execution has ended badly before and that have not been settled since. */
  suspects(): { jobId: string; batchId: string; crashes: number }[] {
    return [...this.suspectNotes.values()];
  }

  /** How often executing this batch has ended badly. */
  crashes(batchId: string): number {
    return this.suspectNotes.get(batchId)?.crashes ?? 0;
  }

  /** The batch is about to be executed. */
  async begin(jobId: string, batchId: string): Promise<void> {
    await this.write({ jobId, batchId, crashes: this.crashes(batchId), running: true });
  }

  /** Counts a failure by a bug that did not kill the process. @returns the crashes so far */
  async countFailure(jobId: string, batchId: string): Promise<number> {
    const crashes = this.crashes(batchId) + 1;
    await this.suspect({ jobId, batchId, crashes, running: false });
    return crashes;
  }

  /** The execution was broken off cleanly; earlier crashes stay counted. */
  async interrupt(batchId: string): Promise<void> {
    const note = this.suspectNotes.get(batchId);
    if (note) await this.write(note);
    else await this.forget(batchId);
  }

  /** The batch is harmless, settled, or will not be delivered again. */
  async forget(batchId: string): Promise<void> {
    this.suspectNotes.delete(batchId);
    if (!this.noted.has(batchId)) return;
    await rm(this.file(batchId), { force: true });
    this.noted.delete(batchId);
  }

  private async suspect(note: Note): Promise<void> {
    if (note.crashes > 0) this.suspectNotes.set(note.batchId, note);
    await this.write(note);
  }

  private async write(note: Note): Promise<void> {
    this.noted.add(note.batchId);
    try {
      await writeFile(this.file(note.batchId), JSON.stringify(note), { mode: PRIVATE_FILE_MODE });
    } catch (error) {
      if (!isDiskFull(error)) throw error;
    }
  }

  private file(batchId: string): string {
    return path.join(this.directory, `${encodeURIComponent(batchId)}.json`);
  }
}

async function readNote(file: string): Promise<Note | undefined> {
  try {
    return noteSchema.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof z.ZodError) return undefined;
    throw error;
  }
}
