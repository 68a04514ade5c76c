import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { isDiskFull } from '#cache-store';
import { PRIVATE_DIRECTORY_MODE, PRIVATE_FILE_MODE } from '#private-files';
import { z } from 'zod';

const noteSchema = z.object({
  jobId: z.string(),
  batchId: z.string(),
  /** How many processes died while they executed the batch. */
  crashes: z.number(),
  /** Being executed by the process that wrote the note. */
  running: z.boolean(),
});
type Note = z.infer<typeof noteSchema>;

/**
 * Notes on disk which batches are being executed, so that a batch that brings the whole process down is recognised
 * after the restart: what an earlier process left here as running was running when that process died.
 *
 * Not synced to disk: what a crash of this process must not lose is in the page cache already, and a crash of the whole
 * machine is no batch's fault. On a full disk nothing is noted: the batch, which may be what frees it, has to go on.
 */
export class RunningJournal {
  private constructor(
    private readonly directory: string,
    private readonly suspectNotes: Map<string, Note>,
  ) {}

  static async open(directory: string): Promise<RunningJournal> {
    await mkdir(directory, { recursive: true, mode: PRIVATE_DIRECTORY_MODE });
    const journal = new RunningJournal(directory, new Map());
    for (const name of await readdir(directory)) {
      const note = await readNote(path.join(directory, name));
      // Torn by the crash before it held anything; the batch will be delivered again as if for the first time.
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

  /** The execution failed by a bug, without taking the process with it. Returns the crashes so far. */
  async countFailure(jobId: string, batchId: string): Promise<number> {
    const crashes = this.crashes(batchId) + 1;
    await this.suspect({ jobId, batchId, crashes, running: false });
    return crashes;
  }

  /** The execution was broken off in good order; earlier crashes stay counted. */
  async interrupt(batchId: string): Promise<void> {
    const note = this.suspectNotes.get(batchId);
    if (note) await this.write(note);
    else await this.forget(batchId);
  }

  /** The batch did no harm, is settled, or nobody will ask for it again. */
  async forget(batchId: string): Promise<void> {
    this.suspectNotes.delete(batchId);
    await rm(this.file(batchId), { force: true });
  }

  private async suspect(note: Note): Promise<void> {
    if (note.crashes > 0) this.suspectNotes.set(note.batchId, note);
    await this.write(note);
  }

  private async write(note: Note): Promise<void> {
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
