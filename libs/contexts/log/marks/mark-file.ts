import { open, readFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { DomainError, type Commit } from '#kernel';
import { logBoundary, logMarkSchema, type LogMark } from '../index.js';

/** So much of what was seen last may be missing from the file after a power cut. */
const writeAfterMs = 1000;

/**
 * Keeps a mark on disk: how far this process, in this or an earlier life, has seen the log. Whoever uses it must first
 * have found that the log agrees with `mark`: from `identify` on, the file is about the log that is being read.
 */
export class MarkFile {
  private observed = 0;
  private writing: Promise<void> = Promise.resolve();
  private timer: NodeJS.Timeout | undefined;
  private complained = false;

  private constructor(
    private readonly file: string,
    private written: LogMark | undefined,
    private current: LogMark | undefined,
    private readonly complain: (line: string) => void,
  ) {}

  /**
   * @param complain told, once in a row, that the mark cannot be written: no reason to stop, the disk may be full
   * @throws DomainError Malformed when the file is there and holds no mark
   */
  static async open(file: string, complain: (line: string) => void): Promise<MarkFile> {
    const mark = await readMark(file);
    return new MarkFile(file, mark, mark, complain);
  }

  /** Undefined before anything was seen. */
  get mark(): LogMark | undefined {
    return this.current;
  }

  /** The log that is being read is this one. */
  identify(logId: string): void {
    if (this.current?.logId === logId) return;
    // What was seen of the log before does not count for the one that goes on from it.
    this.current = { logId, sequence: this.observed };
    this.schedule();
  }

  /** This sequence is in the log: it was read, or an append was acknowledged with it. */
  saw(sequence: number): void {
    this.observed = Math.max(this.observed, sequence);
    if (!this.current || this.observed <= this.current.sequence) return;
    this.current = { logId: this.current.logId, sequence: this.observed };
    this.schedule();
  }

  /** Takes in what was read from the log. */
  follow(commit: Commit): void {
    for (const { data } of logBoundary.eventsIn(commit)) if ('logId' in data) this.identify(data.logId);
    this.saw(commit.sequence);
  }

  /** Writes what is not written yet; settles when it is on the disk. Never throws. */
  async flush(): Promise<void> {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.writing = this.writing.then(() => this.write());
    await this.writing;
  }

  private schedule(): void {
    this.timer ??= setTimeout(() => void this.flush(), writeAfterMs).unref();
  }

  private async write(): Promise<void> {
    const { current } = this;
    if (!current || current === this.written) return;
    try {
      await writeWhole(this.file, `${JSON.stringify(current)}\n`);
      this.written = current;
      this.complained = false;
    } catch (error) {
      if (!this.complained) this.complain(`the log mark ${this.file} cannot be written: ${String(error)}`);
      this.complained = true;
      this.schedule();
    }
  }
}

async function readMark(file: string): Promise<LogMark | undefined> {
  try {
    return logMarkSchema.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    const text = `${file} does not hold a log mark; restore it, or remove it to start without knowing what was seen of the log`;
    throw new DomainError('Malformed', 'log-mark-unreadable', text, { cause });
  }
}

/** Whole or not at all, and on the disk: a mark is worth nothing if a power cut takes it along with the log's end. */
async function writeWhole(target: string, text: string): Promise<void> {
  // Named by the process: should two be given one file, the last one's mark stands whole.
  const temporary = `${target}.${process.pid}.new`;
  try {
    const file = await open(temporary, 'w', 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, target);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  const directory = await open(path.dirname(target), 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
