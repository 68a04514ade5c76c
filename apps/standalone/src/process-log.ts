import fs from 'node:fs';
import path from 'node:path';

export type OutputStream = 'stdout' | 'stderr';

/** Those that the console shows, as it shows them. */
const levels: Readonly<Record<string, string>> = { warn: 'WARN ', error: 'ERROR', fatal: 'FATAL' };
const ROTATE_AT_BYTES = 10 * 2 ** 20;
const REMEMBERED_LINES = 20;

/**
 * What the console shows of a process's output: warnings and worse, and whatever it writes to stderr as plain text. All
 * of it is in the log file. Structured lines are pino's: `{ level: 'info' | 'warn' | …, msg, … }`.
 */
export function consoleLine(name: string, stream: OutputStream, line: string): string | undefined {
  const entry = structured(line);
  if (entry) return entry.level in levels ? `${name}  ${levels[entry.level]}  ${entry.msg}` : undefined;
  return stream === 'stderr' && line.trim() !== '' ? `${name}  ${line}` : undefined;
}

/** A line as people read it, without the name of its process. */
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
    // Only looks like JSON: text.
    return undefined;
  }
}

/** The log file of one process, kept over restarts; the previous one is kept as `.1` when it has grown large. */
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

  /** A full disk must not end the cluster that runs on it. */
  private keep(line: string): void {
    try {
      fs.writeSync(this.descriptor, `${line}\n`);
      this.complained = false;
    } catch (error) {
      if (!this.complained) this.print(`${this.name}  its log ${this.file} cannot be written: ${String(error)}`);
      this.complained = true;
    }
  }

  /** What the process complained about since this was last asked. */
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
