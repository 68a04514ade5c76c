import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isRunning } from './process-identity.js';

interface Recorded {
  readonly pid: number;
  /** Part of the process's command line; see `isRunning`. */
  readonly marker: string;
}

/**
 * Remembers the processes of a data directory. The next start can then end those that a killed supervisor left behind:
 * two nats-servers on one store would damage it.
 */
export class PidFiles {
  constructor(private readonly directory: string) {
    fs.mkdirSync(directory, { recursive: true, mode: 0o700 });
  }

  record(name: string, pid: number, marker: string): void {
    fs.writeFileSync(this.file(name), JSON.stringify({ pid, marker } satisfies Recorded), { mode: 0o600 });
  }

  forget(name: string): void {
    fs.rmSync(this.file(name), { force: true });
  }

  /** Kills the recorded process if it still runs. @returns whether it did */
  async killLeftover(name: string): Promise<boolean> {
    const recorded = this.read(name);
    const left = recorded !== undefined && isRunning(recorded.pid, recorded.marker);
    if (left) {
      process.kill(recorded.pid, 'SIGKILL');
      while (isRunning(recorded.pid, recorded.marker)) await sleep(10);
    }
    this.forget(name);
    return left;
  }

  /** @returns names of the processes that were still running */
  async killLeftovers(): Promise<string[]> {
    const killed: string[] = [];
    for (const file of fs.readdirSync(this.directory)) {
      const { name, ext } = path.parse(file);
      if (ext === '.pid' && (await this.killLeftover(name))) killed.push(name);
    }
    return killed;
  }

  private read(name: string): Recorded | undefined {
    try {
      return JSON.parse(fs.readFileSync(this.file(name), 'utf8')) as Recorded;
    } catch {
      // It does not exist, or was cut short when the supervisor was killed while writing: it is of no use.
      return undefined;
    }
  }

  private file(name: string): string {
    return path.join(this.directory, `${name}.pid`);
  }
}
