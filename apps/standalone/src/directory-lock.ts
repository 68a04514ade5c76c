import fs from 'node:fs';
import path from 'node:path';
import { StartRefused } from './start-refused.js';
import { commandLineOf } from './process-identity.js';

interface Holder {
  readonly pid: number;
  /** The holder's command line, to tell it from a later process with the same number. */
  readonly commandLine: string;
}

/**
 * Takes `standalone.lock` for this process, or over from one that is gone.
 * @returns releases the lock
 * @throws StartRefused naming the process that holds it
 */
export function lockDirectory(dataDir: string): () => void {
  const lockFile = path.join(dataDir, 'standalone.lock');
  const own = path.join(dataDir, `standalone.lock.${process.pid}`);
  const holder: Holder = { pid: process.pid, commandLine: commandLineOf(process.pid) ?? '' };
  // Written whole under another name, then linked: nobody ever reads half a lock.
  fs.writeFileSync(own, JSON.stringify(holder));
  try {
    for (;;) {
      if (tryLink(own, lockFile)) return () => release(lockFile);
      const other = readHolder(lockFile);
      if (other && isHolding(other)) {
        throw new StartRefused(
          `LARDER_DATA_DIR ${dataDir} is in use by process ${other.pid}: stop that one, or name another directory.`,
        );
      }
      fs.rmSync(lockFile, { force: true });
    }
  } finally {
    fs.rmSync(own, { force: true });
  }
}

function tryLink(from: string, to: string): boolean {
  try {
    fs.linkSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

function readHolder(lockFile: string): Holder | undefined {
  try {
    return JSON.parse(fs.readFileSync(lockFile, 'utf8')) as Holder;
  } catch {
    // Released in this moment: try again.
    return undefined;
  }
}

function isHolding({ pid, commandLine }: Holder): boolean {
  return pid !== process.pid && commandLineOf(pid) === commandLine;
}

function release(lockFile: string): void {
  if (readHolder(lockFile)?.pid === process.pid) fs.rmSync(lockFile, { force: true });
}
