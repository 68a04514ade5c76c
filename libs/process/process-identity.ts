import { execFileSync } from 'node:child_process';
import fs from 'node:fs';

/** Tells a process from a later one with the same number: numbers come again after a reboot or a long time. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Field 22 of /proc/<pid>/stat: clock ticks since boot (proc_pid_stat(5)). Without /proc, the time itself. */
  readonly startTime: string;
  /** Empty if there is no /proc. */
  readonly bootId: string;
}

/** An empty `startTime` means: there is no such process, or only a zombie that awaits its parent. */
export function identityOf(pid: number): ProcessIdentity {
  return { pid, startTime: startTimeOf(pid), bootId: readText('/proc/sys/kernel/random/boot_id') };
}

/** Whether that very process lives. */
export function isAlive({ pid, startTime, bootId }: ProcessIdentity): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 0) return false;
  const now = identityOf(pid);
  return now.startTime !== '' && now.startTime === startTime && now.bootId === bootId;
}

/** The command line of a running process; undefined when there is none (or only a zombie that awaits its parent). */
export function commandLineOf(pid: number): string | undefined {
  const text = hasProc() ? readText(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim() : ps('args=', pid);
  return text === '' ? undefined : text;
}

/**
 * Whether `pid` is (still) a process of Larder. Numbers are used again after a reboot or a long time, so the command
 * line must contain `marker`, a path that belongs to this data directory.
 */
export function isRunning(pid: number, marker: string): boolean {
  return commandLineOf(pid)?.includes(marker) ?? false;
}

function startTimeOf(pid: number): string {
  if (!hasProc()) return ps('lstart=', pid);
  const stat = readText(`/proc/${pid}/stat`);
  // The name, in brackets, may itself hold spaces and brackets. The numbered fields follow the last bracket.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state, startTime = ''] = [fields[0], fields[19]];
  return state === 'Z' || state === 'X' ? '' : startTime;
}

function hasProc(): boolean {
  return fs.existsSync('/proc/self/stat');
}

function ps(column: string, pid: number): string {
  try {
    return execFileSync('ps', ['-o', column, '-p', String(pid)], { encoding: 'utf8' }).trim();
  } catch {
    // ps fails when there is no such process.
    return '';
  }
}

/** Empty if there is no such file, or the process is gone. */
function readText(file: string): string {
  try {
    return fs.readFileSync(file, 'utf8').trim();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ESRCH') return '';
    throw error;
  }
}
