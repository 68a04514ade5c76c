import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { eventually, projectRoot, type ManagedProcess } from '#testing';

/** Gives a process, from its next start on, a wall clock that a test can set. */
export class WrongClock {
  private readonly file: string;

  constructor(
    readonly process: ManagedProcess,
    directory: string,
  ) {
    this.file = join(directory, `${process.name}.clock`);
  }

  /** @param offsetMs difference of its clock from the real time at the start */
  prepare(offsetMs: number): void {
    const preload = join(projectRoot(), 'test/robustness/faults/support/wrong-clock.mjs');
    this.write(offsetMs);
    this.process.overrides['NODE_OPTIONS'] = `--import=${pathToFileURL(preload).href}`;
    this.process.overrides['LARDER_TEST_CLOCK_FILE'] = this.file;
  }

  /** Makes the clock of the running process jump, and waits until it has. */
  async set(offsetMs: number): Promise<void> {
    this.write(offsetMs);
    const applied = `${this.file}.${this.process.pid}`;
    await eventually(
      `the clock of ${this.process.name} is off by ${offsetMs} ms`,
      () => existsSync(applied) && readFileSync(applied, 'utf8') === String(offsetMs),
    );
  }

  /** Replaces the file in one step: a half-written file would give another time. */
  private write(offsetMs: number): void {
    writeFileSync(`${this.file}.new`, String(offsetMs));
    renameSync(`${this.file}.new`, this.file);
  }
}
