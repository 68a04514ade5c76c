import fs from 'node:fs';
import path from 'node:path';

export type OutputStream = 'stdout' | 'stderr';

/** The levels that the console shows, with their labels. */
const levels: Readonly<Record<string, string>> = { warn: 'WARN ', error: 'ERROR', fatal: 'FATAL' };
const ROTATE_AT_BYTES = 10 * 2 ** 20;
const REMEMBERED_LINES = 20;

/**
 * The part of a process's output that the console shows: warnings and worse, and all plain text on stderr. The log file
 * has the whole output. Structured lines are those of pino: `{ level: 'info' | 'warn' | …, msg, … }`.
 */
export function consoleLine(name: string, stream: OutputStream, line: string): string | undefined {
  const entry = structured(line);
  if (entry) return entry.level in levels ? `${name}  ${levels[entry.level]}  ${entry.msg}` : undefined;
  return stream === 'stderr' && line.trim() !== '' ? `${name}  ${line}` : undefined;
}

/** A line as text for people, without the name of its process. */
export function plainText(line: string): string {
  return structured(line)?.msg ?? line;
}

function structured(line: string): { level: string; msg: string } | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    const { level, msg } = JSON.parse(line) as { level?: unknown; msg?: unknown };
    if (typeof level !== 'string') return undefined;
    return { level, msg: typeof msg === 'string' ? msg : '' };
  } catch {
    // It only looks like JSON, so it is text.
    return undefined;
  }
}

/** The log file of one process, kept over restarts. A file that is large when it is opened is renamed to `.1` first. */
export class ProcessLog {
  readonly file: string;
  private readonly descriptor: number;
  private errors: string[] = [];
  private closed = false;
  private complained = false;

  constructor(
    directory: string,
    private readonly name: string,
    private readonly print: (line: string) => void,
  ) {
    this.file = path.join(directory, `${name}.log`);
    if (fs.existsSync(this.file) && fs.statSync(this.file).size > ROTATE_AT_BYTES) {
      fs.renameSync(this.file, `${this.file}.1`);
    }
    this.descriptor = fs.openSync(this.file, 'a', 0o600);
  }

  write(stream: OutputStream, line: string): void {
    if (this.closed) return;
    this.keep(line);
    const shown = consoleLine(this.name, stream, line);
    if (shown === undefined) return;
    this.errors = [...this.errors.slice(1 - REMEMBERED_LINES), plainText(line)];
    this.print(shown);
  }

  /** Never throws: a full disk must not end the cluster. */
  private keep(line: string): void {
    try {
      fs.writeSync(this.descriptor, `${line}\n`);
      this.complained = false;
    } catch (error) {
      if (!this.complained) this.print(`${this.name}  its log ${this.file} cannot be written: ${String(error)}`);
      this.complained = true;
    }
  }

  /** The errors that the process has written since the last call. */
  takeErrors(): string[] {
    const { errors } = this;
    this.errors = [];
    return errors;
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    fs.closeSync(this.descriptor);
  }
}
