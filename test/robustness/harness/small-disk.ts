import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** Room for two versions of all large objects, and everything else. */
const sizeBytes = 160 * 1024 * 1024;

/** A separate file system that can really run full. */
export class SmallDisk {
  private constructor(private readonly directory: string) {}

  /** Undefined if this process may not mount. */
  static mount(directory: string): SmallDisk | undefined {
    mkdirSync(directory, { recursive: true });
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeBytes}`, 'tmpfs', directory], { stdio: 'ignore' });
    } catch {
      // The cache is then an ordinary directory, and the fault is left out.
      return undefined;
    }
    return new SmallDisk(directory);
  }

  private get ballast(): string {
    return join(this.directory, 'ballast');
  }

  /** Writes until the disk is full. */
  fill(): void {
    const file = openSync(this.ballast, 'w');
    for (const chunk of [Buffer.alloc(1024 * 1024, 1), Buffer.alloc(4096, 1)]) {
      try {
        while (statfsSync(this.directory).bavail > 0) writeSync(file, chunk);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
      }
    }
    closeSync(file);
  }

  makeRoom(): void {
    rmSync(this.ballast, { force: true });
  }

  unmount(): void {
    execFileSync('umount', ['-l', this.directory], { stdio: 'ignore' });
  }
}
