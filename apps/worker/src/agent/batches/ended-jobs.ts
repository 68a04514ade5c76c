import type { CacheStore } from '#cache-store';
import type { LogReader } from '#jetstream';
import { DomainError } from '#kernel';
import type { RunningJournal } from './running-journal.js';

interface LeftByJobs {
  readonly journal: RunningJournal;
  readonly cache: CacheStore;
  /** For good. */
  readonly isFinished: (jobId: string) => Promise<boolean>;
  /** Stopped, or finished. */
  readonly isOver: (jobId: string) => Promise<boolean>;
}

/** Clears the notes about jobs that ended while this worker was away: it does not hear of their end any more. */
export async function forgetEndedJobs({ journal, cache, isFinished, isOver }: LeftByJobs): Promise<void> {
  // Suspects of such jobs will not be delivered again; those of a stopped job may be, once it is resumed.
  for (const { jobId, batchId } of journal.suspects()) if (await isFinished(jobId)) await journal.forget(batchId);
  for (const jobId of cache.keptFor()) if (await isOver(jobId)) cache.letGo(jobId);
}

/** Takes in the ends of jobs that are in the log and not yet here. While the log cannot be asked, what is known holds. */
export async function catchUp(jobReader: LogReader, timeoutMs: number): Promise<void> {
  try {
    await jobReader.caughtUp(timeoutMs);
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
  }
}
