import { execFileSync } from 'node:child_process';
import fs from 'node:fs';

/** The command line of a running process; undefined when there is none (or only a zombie that awaits its parent). */
export function commandLineOf(pid: number): string | undefined {
  if (fs.existsSync('/proc/self/cmdline')) {
    try {
      return fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim() || undefined;
    } catch {
      // No such process.
      return undefined;
    }
  }
  try {
    return execFileSync('ps', ['-o', 'args=', '-p', String(pid)], { encoding: 'utf8' }).trim() || undefined;
  } catch {
    // ps fails when there is no such process.
    return undefined;
  }
}

/**
 * Whether `pid` is (still) a process of ours. Numbers are used again after a reboot or a long time, so the command line
 * has to contain `marker`, a path that belongs to this data directory.
 */
export function isRunning(pid: number, marker: string): boolean {
  return commandLineOf(pid)?.includes(marker) ?? false;
}
