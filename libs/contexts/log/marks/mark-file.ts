import { open, readFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { DomainError, type Commit } from '#kernel';
import { logBoundary, logMarkSchema, type LogMark } from '../index.js';

/** After a power cut, the file may lack what was seen in this last period. */
const writeAfterMs = 1000;

/**
 * Keeps a mark on disk: how far this process has seen the log, now or before a restart. The caller must first check
 * that the log agrees with `mark`, because from `identify` on the file is about the log that is being read.
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
   * @param complain called once for consecutive failures to write; the process goes on, as the disk may only be full
   * @throws DomainError Malformed when the file exists and holds no mark
   */
  static async open(file: string, complain: (line: string) => void): Promise<MarkFile> {
    const mark = await readMark(file);
    return new MarkFile(file, mark, mark, complain);
  }

  /** Undefined before anything was seen. */
  get mark(): LogMark | undefined {
    return this.current;
  }

  /** Tells which log is being read. */
  identify(logId: string): void {
    if (this.current?.logId === logId) return;
    // What was seen of the previous log does not count for the log that continues it.
    this.current = { logId, sequence: this.observed };
    this.schedule();
  }

  /** Tells that the log has this sequence: it was read, or an append was acknowledged with it. */
  saw(sequence: number): void {
    this.observed = Math.max(this.observed, sequence);
    if (!this.current || this.observed <= this.current.sequence) return;
    this.current = { logId: this.current.logId, sequence: this.observed };
    this.schedule();
  }

  /** Tells that this commit was read from the log. */
  follow(commit: Commit): void {
    for (const { data } of logBoundary.eventsIn(commit)) if ('logId' in data) this.identify(data.logId);
    this.saw(commit.sequence);
  }

  /** Writes the mark if it has changed. Resolves when it is on the disk. Never throws. */
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

/** Writes all or nothing, and flushes to the disk: a power cut that cuts the log's end must not lose the mark, too. */
async function writeWhole(target: string, text: string): Promise<void> {
  // The name has the process id: if two processes share one file by mistake, the last mark written is still complete.
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
