import { randomUUID } from 'node:crypto';
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { PRIVATE_FILE_MODE } from '#private-files';
import { errorCode } from './disk-errors.js';
import { CacheOpenError } from '../types.js';

/** Who holds a lock. The start time tells a process from a later one that was given the same pid. */
interface LockHolder {
  pid: number;
  /** Field 22 of /proc/<pid>/stat: clock ticks since boot (proc_pid_stat(5)). Empty where there is no /proc. */
  startTime: string;
  bootId: string;
  token: string;
}

/**
 * Exclusive use of a directory by one living process, with nothing to clean up by hand after a kill -9: the lock file
 * names its holder, and a holder that no longer lives may be replaced.
 *
 * The file always appears whole (`link` of a finished file). A stale one is replaced by `rename`, and only by the
 * process that holds a claim on that very stale lock (its token), so two starters cannot both take it over.
 */
export class DirectoryLock {
  private constructor(
    private readonly file: string,
    private readonly token: string,
  ) {}

  /** @throws CacheOpenError when a living process holds the lock. */
  static async acquire(file: string): Promise<DirectoryLock> {
    const self: LockHolder = { ...(await identify(process.pid)), token: randomUUID() };
    const own = `${file}.${self.token}`;
    await writeFile(own, JSON.stringify(self), { flush: true, mode: PRIVATE_FILE_MODE });
    try {
      for (let attempt = 0; attempt < 10; attempt++) {
        if (await tryLink(own, file)) return new DirectoryLock(file, self.token);
        const holder = await readHolder(file);
        if (holder === undefined) continue;
        if (await isAlive(holder)) throw inUse(file, holder);
        if (await takeOver(file, holder, own)) return new DirectoryLock(file, self.token);
      }
      throw new CacheOpenError(`${file} changes hands too often; is another process starting on this directory?`);
    } finally {
      await rm(own, { force: true });
    }
  }

  async release(): Promise<void> {
    if ((await readHolder(this.file))?.token === this.token) await rm(this.file, { force: true });
  }
}

async function takeOver(file: string, stale: LockHolder, own: string): Promise<boolean> {
  const claim = `${file}.claim-${stale.token.replace(/[^\w-]/g, '')}`;
  if (!(await tryLink(own, claim))) {
    const claimant = await readHolder(claim);
    if (claimant !== undefined && (await isAlive(claimant))) throw inUse(file, claimant);
    await rm(claim, { force: true });
    return false;
  }
  try {
    if ((await readHolder(file))?.token !== stale.token) return false;
    await rename(own, file);
    return true;
  } finally {
    await rm(claim, { force: true });
  }
}

function inUse(file: string, holder: LockHolder): CacheOpenError {
  return new CacheOpenError(`The cache directory is in use by process ${holder.pid} (${file})`);
}

async function tryLink(existing: string, name: string): Promise<boolean> {
  try {
    await link(existing, name);
    return true;
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false;
    throw error;
  }
}

async function readHolder(file: string): Promise<LockHolder | undefined> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const { pid, startTime, bootId, token } = JSON.parse(text) as Record<string, unknown>;
    return { pid: Number(pid), startTime: String(startTime), bootId: String(bootId), token: String(token) };
  } catch {
    // Not a lock of ours, or emptied by a file system repair: nobody can be told to hold it.
    return { pid: 0, startTime: '', bootId: '', token: '' };
  }
}

async function isAlive(holder: LockHolder): Promise<boolean> {
  if (!Number.isSafeInteger(holder.pid) || holder.pid <= 0) return false;
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    // EPERM: it lives, under another user.
    if (errorCode(error) !== 'EPERM') return false;
  }
  const now = await identify(holder.pid);
  return now.startTime === holder.startTime && now.bootId === holder.bootId;
}

async function identify(pid: number): Promise<Omit<LockHolder, 'token'>> {
  return { pid, startTime: await startTimeOf(pid), bootId: await readText('/proc/sys/kernel/random/boot_id') };
}

/** Empty for a process that is gone, and for one that is dead but not yet reaped by its parent. */
async function startTimeOf(pid: number): Promise<string> {
  const stat = await readText(`/proc/${pid}/stat`);
  // The name, in brackets, may itself hold spaces and brackets; the numbered fields go on after the last one.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state, startTime] = [fields[0], fields[19]];
  return state === 'Z' || state === 'X' ? 'dead' : (startTime ?? '');
}

async function readText(file: string): Promise<string> {
  try {
    return (await readFile(file, 'utf8')).trim();
  } catch (error) {
    if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ESRCH') return '';
    throw error;
  }
}
