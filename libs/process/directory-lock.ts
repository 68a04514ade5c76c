import { randomUUID } from 'node:crypto';
import fs from 'node:fs';
import { commandLineOf, identityOf, isAlive, type ProcessIdentity } from './process-identity.js';
import { Refusal } from './refusal.js';

/** Content of the lock file, as JSON. */
interface Holder extends ProcessIdentity {
  /** Tells one lock from another, even of the same process. */
  readonly token: string;
  /** Locks of standalone clusters up to version 0.2 have only this and the pid. */
  readonly commandLine?: string;
}

/** A living process holds the lock. */
export class DirectoryInUse extends Refusal {
  override readonly name = 'DirectoryInUse';

  constructor(
    readonly file: string,
    /** Undefined if locks come and go too fast to name the holder. */
    readonly pid: number | undefined,
  ) {
    const hasty = `${file} changes hands too often; is another process starting on this directory?`;
    super(pid === undefined ? hasty : `${file} is held by process ${pid}`);
  }
}

/**
 * Exclusive use of a directory by one living process. Nothing must be cleaned up by hand after a kill -9: the lock file
 * names its holder, and a holder that no longer lives may be replaced.
 *
 * The file always appears whole (`link` of a finished file). A stale one is replaced by `rename`, and only by the
 * process that holds a claim on that very stale lock (its token), so two starters cannot both take it over. A claim is
 * such a lock, too: if its holder has died, it is taken over in the same way.
 */
export class DirectoryLock {
  private constructor(
    private readonly file: string,
    private readonly token: string,
  ) {}

  /** @throws DirectoryInUse when a living process holds the lock, this one included */
  static acquire(file: string): DirectoryLock {
    const token = randomUUID();
    const own = `${file}.${token}`;
    fs.writeFileSync(own, JSON.stringify({ ...identityOf(process.pid), token }), { flush: true, mode: 0o600 });
    try {
      for (let attempt = 0; attempt < 10; attempt++) {
        if (tryLink(own, file)) return new DirectoryLock(file, token);
        const holder = readHolder(file);
        if (holder && takeOver(file, holder, own)) return new DirectoryLock(file, token);
      }
      throw new DirectoryInUse(file, undefined);
    } finally {
      fs.rmSync(own, { force: true });
    }
  }

  release(): void {
    if (readHolder(this.file)?.token === this.token) fs.rmSync(this.file, { force: true });
  }
}

/** @returns whether `file` is now this process's; false: another process was quicker. @throws DirectoryInUse */
function takeOver(file: string, stale: Holder, own: string): boolean {
  if (isHolding(stale)) throw new DirectoryInUse(file, stale.pid);
  const claim = `${file}.claim-${stale.token.replace(/[^\w-]/g, '')}`;
  if (!tryLink(own, claim)) {
    const claimant = readHolder(claim);
    if (!claimant || !takeOver(claim, claimant, own)) return false;
  }
  try {
    if (readHolder(file)?.token !== stale.token) return false;
    const next = `${own}.next`;
    fs.linkSync(own, next);
    fs.renameSync(next, file);
    return true;
  } finally {
    fs.rmSync(claim, { force: true });
  }
}

function isHolding(holder: Holder): boolean {
  if (holder.commandLine === undefined) return isAlive(holder);
  return holder.pid !== process.pid && commandLineOf(holder.pid) === holder.commandLine;
}

function tryLink(existing: string, name: string): boolean {
  try {
    fs.linkSync(existing, name);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** @returns undefined if there is no lock any more */
function readHolder(file: string): Holder | undefined {
  let text: string;
  try {
    text = fs.readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const { pid, startTime, bootId, token, commandLine } = JSON.parse(text) as Record<string, unknown>;
    const holder = { pid: Number(pid), startTime: String(startTime), bootId: String(bootId), token: String(token) };
    return typeof commandLine === 'string' ? { ...holder, commandLine } : holder;
  } catch {
    // Not a lock of ours, or emptied by a file system repair: it names no living holder.
    return { pid: 0, startTime: '', bootId: '', token: '' };
  }
}
