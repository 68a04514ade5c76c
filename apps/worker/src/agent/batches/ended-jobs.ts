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

/** Clears the notes about jobs that ended while this worker was away: it receives no further news of their end. */
export async function forgetEndedJobs({ journal, cache, isFinished, isOver }: LeftByJobs): Promise<void> {
  // Suspects of finished jobs are not delivered again. Those of a stopped job can be, when it is resumed.
  for (const { jobId, batchId } of journal.suspects()) if (await isFinished(jobId)) await journal.forget(batchId);
  for (const jobId of cache.keptFor()) if (await isOver(jobId)) cache.letGo(jobId);
}

/**
 * Reads the ends of jobs that the log has and this worker lacks. When the log is unreachable, the known state counts.
 */
export async function catchUp(jobReader: LogReader, timeoutMs: number): Promise<void> {
  try {
    await jobReader.caughtUp(timeoutMs);
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
  }
}
