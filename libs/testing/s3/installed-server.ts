import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import * as fs from 'node:fs/promises';
import * as os from 'node:os';
import * as path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { endChild } from '#process';

const run = promisify(execFile);
const startWithinMs = 60_000;
const keptOutput = 4000;

/**
 * The processes of a server from a Debian package, which is not of this project. All its files, configuration included,
 * are in a temporary directory. An installed service of the same package is not touched.
 */
export class InstalledServer {
  directory = '';
  private readonly children: ChildProcess[] = [];
  private output = '';

  constructor(private readonly name: string) {}

  /** Why it cannot run on this machine, as a sentence, or undefined when it can. */
  static missing(executables: readonly string[], packages: string): string | undefined {
    const missing = executables.filter((name) => findExecutable(name) === undefined);
    if (missing.length === 0) return undefined;
    return `${missing.join(', ')} not found; to run it: apt-get install --no-install-recommends ${packages}`;
  }

  async prepare(): Promise<void> {
    this.directory = await fs.mkdtemp(path.join(os.tmpdir(), `larder-${this.name}-`));
  }

  at(name: string): string {
    return path.join(this.directory, name);
  }

  /** Runs a command to its end. */
  async command(name: string, args: string[]): Promise<string> {
    return (await run(findExecutable(name) ?? name, args)).stdout;
  }

  /** Starts a process that stays. */
  spawn(name: string, args: string[]): void {
    const child = spawn(findExecutable(name) ?? name, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (text: Buffer) => {
        this.output = `${this.output}${name}: ${text.toString()}`.slice(-keptOutput);
      });
    }
    this.children.push(child);
  }

  /** Polls `isReady`. @throws when a process has ended, or after a minute, after stopping everything */
  async until(isReady: () => Promise<boolean>): Promise<void> {
    const deadline = Date.now() + startWithinMs;
    while (!(await isReady())) {
      const ended = this.children.find((child) => child.exitCode !== null);
      if (ended !== undefined || Date.now() > deadline) {
        await this.stop();
        throw new Error(`${this.name} did not start (${ended?.spawnfile ?? 'in time'}): ${this.output}`);
      }
      await delay(50);
    }
  }

  async stop(): Promise<void> {
    await Promise.all(this.children.map(end));
    if (this.directory !== '') await fs.rm(this.directory, { recursive: true, force: true });
  }
}

export async function answersWell(url: string): Promise<boolean> {
  try {
    return (await fetch(url)).ok;
  } catch {
    // Not listening yet.
    return false;
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  await endChild(child, new Promise((gone) => child.once('exit', gone)), 5000);
}

/** Searches the system's directories too: an ordinary user's PATH lacks `sbin`. */
function findExecutable(name: string): string | undefined {
  const directories = [...(process.env['PATH'] ?? '').split(':'), '/usr/bin', '/usr/sbin'];
  return directories.map((directory) => path.join(directory, name)).find(isExecutable);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    // No such file, or no right to execute it.
    return false;
  }
}
