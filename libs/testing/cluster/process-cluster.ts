import { mkdirSync, mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ApiClient } from './api-client.js';
import { type ManagedProcess } from './managed-process.js';
import { eventually } from './until.js';

/** The directory of a cluster: the one that the test names, which stays, or a temporary one. */
export interface ClusterDirectory {
  readonly path: string;
  readonly isTemporary: boolean;
}

export function clusterDirectory(given?: string): ClusterDirectory {
  const path = given ?? mkdtempSync(join(tmpdir(), 'larder-cluster-'));
  mkdirSync(join(path, 'logs'), { recursive: true });
  return { path, isTemporary: given === undefined };
}

/** Real processes on loopback that form a cluster, with everything that they write below one directory. */
export abstract class ProcessCluster {
  private onCrash: ((error: Error) => void) | undefined;

  protected constructor(private readonly place: ClusterDirectory) {}

  get directory(): string {
    return this.place.path;
  }

  /** Where clients send their calls. */
  abstract get api(): ApiClient;

  /** Every address at which the API answers. */
  protected abstract get apis(): readonly ApiClient[];

  /** Those that the test itself has started. */
  abstract get processes(): readonly ManagedProcess[];

  /** Ends the processes, and what else the cluster has started. */
  protected abstract end(): Promise<void>;

  /** Starts all processes, and waits until each API counts so many workers ONLINE. @throws Error with the ends of the logs */
  protected async launch(workers: number, prepare: () => Promise<void> = () => Promise.resolve()): Promise<void> {
    try {
      await prepare();
      await Promise.all(this.processes.map((process) => process.start()));
      await Promise.all(this.apis.map((api) => this.untilOnline(workers, api)));
    } catch (error) {
      const tails = this.logTails();
      await this.dispose();
      throw new Error(`the cluster did not start: ${(error as Error).message}\n${tails}`, { cause: error });
    }
  }

  /** Starts a process that joins later. While a test is watched, it fails when this process ends by itself. */
  protected async startLate(process: ManagedProcess): Promise<void> {
    process.onCrash = this.onCrash;
    await process.start();
  }

  /** Waits until a coordinator counts so many workers ONLINE. */
  async untilOnline(workers: number, api: ApiClient = this.api): Promise<void> {
    await eventually(`${workers} workers are ONLINE`, async () => {
      const nodes = await api.nodes();
      return nodes.filter(({ status }) => status === 'ONLINE').length === workers;
    });
  }

  /** The end of each process's log. */
  logTails(): string {
    return this.processes.map((process) => process.logTail()).join('\n');
  }

  /**
   * Runs a test's body. When it fails, prints the end of each process's log before it passes the error on; and it fails
   * at once when a process ends that was not told to stop.
   * @param options.processesMayEnd the body makes processes end by themselves: that is no failure
   */
  async watch<T>(body: () => Promise<T>, { processesMayEnd = false } = {}): Promise<T> {
    const crashed = new Promise<never>((_resolve, reject) => {
      if (processesMayEnd) return;
      this.onCrash = reject;
      for (const process of this.processes) process.onCrash = reject;
    });
    try {
      return await Promise.race([body(), crashed]);
    } catch (error) {
      process.stderr.write(`${this.logTails()}\n`);
      throw error;
    }
  }

  /** Ends everything that it started, and removes what that has written unless it is to stay. */
  async dispose(): Promise<void> {
    await this.end();
    if (this.place.isTemporary) await rm(this.directory, { recursive: true, force: true, maxRetries: 3 });
  }
}
