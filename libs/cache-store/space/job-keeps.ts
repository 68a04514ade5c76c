import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { PRIVATE_FILE_MODE } from '#private-files';
import { errorCode } from '../disk/disk-errors.js';
import { jobTag } from '../entries/entry-codec.js';
import { type CacheEntry, type JobClaim } from '../types.js';

type Log = (message: string, details?: Record<string, unknown>) => void;

/**
 * The running jobs that count on what they have put or found here. The list is short, as it has jobs and not files. It
 * is on disk, so that files stay protected after a restart. The code that follows the jobs reports when one has ended.
 */
export class JobKeeps {
  /** Grows when a job is removed: entries kept for it may be evicted from then on. */
  generation = 0;
  /** Called when a job is removed. */
  onLetGo: () => void = () => undefined;
  confirm: () => Promise<void> = () => Promise.resolve();
  private readonly byTag = new Map<number, Set<string>>();
  private readonly jobs = new Set<string>();
  private saving: Promise<void> = Promise.resolve();
  private complained = false;

  private constructor(
    private readonly file: string,
    private readonly log: Log,
  ) {}

  /** An unreadable list counts as empty: then nothing is kept until jobs continue. */
  static async open(file: string, log: Log): Promise<JobKeeps> {
    const keeps = new JobKeeps(file, log);
    try {
      const stored: unknown = JSON.parse(await readFile(file, 'utf8'));
      if (!Array.isArray(stored)) throw new Error('it holds no list');
      for (const jobId of stored) if (typeof jobId === 'string') keeps.note(jobId);
    } catch (error) {
      if (errorCode(error) !== 'ENOENT')
        log('The record of jobs that keep files cannot be read', { error: String(error) });
    }
    return keeps;
  }

  list(): string[] {
    return [...this.jobs];
  }

  has(jobId: string): boolean {
    return this.jobs.has(jobId);
  }

  /** Whether a running job counts on an entry. */
  counted(entry: CacheEntry): boolean {
    return claimsOn(entry).some(({ jobId }) => this.has(jobId));
  }

  /** The jobs with this tag of the eviction index. */
  ofTag(tag: number): Iterable<string> {
    return this.byTag.get(tag) ?? [];
  }

  /** Takes effect at the call. On disk when it resolves, unless writing fails. */
  async add(jobId: string): Promise<void> {
    if (!this.jobs.has(jobId)) {
      this.note(jobId);
      this.save();
    }
    await this.saving;
  }

  letGo(jobId: string): void {
    if (!this.jobs.delete(jobId)) return;
    const tag = jobTag(jobId);
    const same = this.byTag.get(tag);
    same?.delete(jobId);
    if (same?.size === 0) this.byTag.delete(tag);
    this.generation++;
    this.save();
    this.onLetGo();
  }

  /** Claims on an entry that remain when it is put or kept for `jobId`: those of other running jobs. */
  claimsBeside(entry: CacheEntry | undefined, jobId: string | undefined): JobClaim[] {
    return entry ? claimsOn(entry).filter((claim) => claim.jobId !== jobId && this.has(claim.jobId)) : [];
  }

  async close(): Promise<void> {
    await this.saving;
  }

  private note(jobId: string): void {
    this.jobs.add(jobId);
    const tag = jobTag(jobId);
    this.byTag.set(tag, (this.byTag.get(tag) ?? new Set()).add(jobId));
  }

  private save(): void {
    this.saving = this.saving.then(() => this.write());
  }

  /** Written as a whole or not at all. Not synced: a power cut may lose the last change. */
  private async write(): Promise<void> {
    const temporary = `${this.file}.new`;
    try {
      await writeFile(temporary, JSON.stringify(this.list()) + '\n', { mode: PRIVATE_FILE_MODE });
      await rename(temporary, this.file);
      this.complained = false;
    } catch (error) {
      await rm(temporary, { force: true }).catch(() => undefined);
      if (!this.complained) {
        this.log('The jobs that keep files could not be recorded; after a restart they are unknown', {
          error: String(error),
        });
      }
      this.complained = true;
    }
  }
}

export function claimsOn({ jobId, kept = false, keepers = [] }: CacheEntry): JobClaim[] {
  return jobId === undefined ? keepers : [{ jobId, kept }, ...keepers];
}

/** A job's claim on a copy, next to any other claims. */
export function claimOf(entry: CacheEntry, jobId: string): JobClaim | undefined {
  return claimsOn(entry).find((claim) => claim.jobId === jobId);
}
