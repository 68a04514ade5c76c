import { mkdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Agent, request } from 'undici';
import { type Role } from '#jetstream';
import {
  natsUrlFor,
  projectRoot,
  startTestNats,
  startTestNatsCluster,
  testWalls,
  type TestNats,
  type TestNatsCluster,
} from '../nats/index.js';
import { freePorts } from '../net/index.js';
import { ApiClient } from './api-client.js';
import { ManagedProcess, type ProcessSpec } from './managed-process.js';
import { readyAddress, readyLine, workerIdIn } from './ready-line.js';
import { startS3Process, type S3Process } from './s3-process.js';
import { eventually } from './until.js';

export interface ClusterOptions {
  /** Default 1. */
  coordinators?: number;
  /** Default 2. */
  workers?: number;
  /** `LARDER_…` settings of all processes. At a mount no store is asked unless told so here: tests stay on loopback. */
  env?: Record<string, string>;
  /** As `availableNatsVersions()` lists them. Default: the newest. */
  natsVersion?: string;
  /** 3: a cluster of servers, on which the log has three replicas; see `natsCluster`. Default 1; see `nats`. */
  natsServers?: 1 | 3;
  /** The Node that runs coordinators and workers. Default: the one that runs the tests. */
  node?: string;
  /** The project whose build runs, such as a copy with other sources. Default: this one. */
  project?: string;
}

export interface CoordinatorHandle {
  readonly process: ManagedProcess;
  /** The `owner` of its jobs; another one in each life. */
  readonly id: string;
  readonly api: ApiClient;
}

export interface WorkerHandle {
  readonly process: ManagedProcess;
  readonly cacheDir: string;
  /** Kept over restarts. */
  readonly id: string;
  /** `host:port` of the read path of its present life. */
  readonly address: string;
}

/** A key for tests; it guards nothing. */
const secretKeys = `test:${Buffer.alloc(32, 7).toString('base64')}`;

/** A cluster of real processes on loopback, with everything that they write below one temporary directory. */
export class TestCluster {
  readonly coordinators: CoordinatorHandle[] = [];
  readonly workers: WorkerHandle[] = [];
  private readonly others: ManagedProcess[] = [];
  private readonly reading = new Agent({ connections: 32 });
  private onCrash: ((error: Error) => void) | undefined;

  private constructor(
    readonly directory: string,
    private readonly servers: { single: TestNats } | { several: TestNatsCluster },
    private readonly given: Pick<ClusterOptions, 'node' | 'project'> & { env: Record<string, string> },
  ) {}

  static async start(options: ClusterOptions): Promise<TestCluster> {
    const { coordinators = 1, workers = 2, env = {}, natsVersion: version } = options;
    const servers =
      options.natsServers === 3
        ? { several: await startTestNatsCluster({ version, ...testWalls() }) }
        : { single: await startTestNats({ version, ...testWalls() }) };
    const own = { LARDER_NATS_REPLICAS: 'several' in servers ? '3' : '1', LARDER_MOUNT_CHECK_MS: '0' };
    const directory = await mkdtemp(join(tmpdir(), 'larder-cluster-'));
    const cluster = new TestCluster(directory, servers, { ...options, env: { ...own, ...env } });
    try {
      mkdirSync(join(cluster.directory, 'logs'));
      const ports = await freePorts(coordinators);
      for (const [i, port] of ports.entries()) cluster.addCoordinator(i, port);
      for (let i = 0; i < workers; i++) cluster.addWorker(i);
      await Promise.all(cluster.processes.map((process) => process.start()));
      for (const { api } of cluster.coordinators) await cluster.untilOnline(workers, api);
      return cluster;
    } catch (error) {
      const tails = cluster.logTails();
      await cluster.dispose();
      throw new Error(`the cluster did not start: ${(error as Error).message}\n${tails}`, { cause: error });
    }
  }

  /** The one nats-server. @throws Error when there are several */
  get nats(): TestNats {
    if ('single' in this.servers) return this.servers.single;
    throw new Error('this cluster has several nats-servers: use natsCluster');
  }

  /** The three nats-servers. @throws Error when there is only one */
  get natsCluster(): TestNatsCluster {
    if ('several' in this.servers) return this.servers.several;
    throw new Error('this cluster has one nats-server: start it with natsServers: 3');
  }

  /** For tests, which may do everything there: all servers' addresses, separated by commas. */
  get natsUrl(): string {
    return ('single' in this.servers ? this.nats : this.natsCluster).url;
  }

  /** For what is behind the walls: with the name and password of a role. */
  natsUrlFor(role: Role): string {
    return natsUrlFor(role, this.natsUrl);
  }

  /** The first coordinator's. */
  get api(): ApiClient {
    return this.coordinators[0].api;
  }

  get processes(): ManagedProcess[] {
    return [...this.coordinators, ...this.workers].map(({ process }) => process).concat(this.others);
  }

  /** One worker more, on a cache directory of its own. Resolves when every coordinator that runs counts it ONLINE. */
  async startWorker(): Promise<WorkerHandle> {
    const worker = this.addWorker(this.workers.length);
    worker.process.onCrash = this.onCrash;
    await worker.process.start();
    await this.untilListed(worker);
    return worker;
  }

  /** Waits until every coordinator that runs counts this process of the worker ONLINE. */
  async untilListed({ process, id, address }: WorkerHandle): Promise<void> {
    for (const coordinator of this.coordinators.filter((one) => one.process.running)) {
      await eventually(`${coordinator.process.name} counts ${process.name} ONLINE`, async () =>
        (await coordinator.api.nodes()).some(
          (node) => node.identity === id && node.address === address && node.status === 'ONLINE',
        ),
      );
    }
  }

  /** Waits until a coordinator counts so many workers ONLINE. */
  async untilOnline(workers: number, api: ApiClient = this.api): Promise<void> {
    await eventually(`${workers} workers are ONLINE`, async () => {
      const nodes = await api.nodes();
      return nodes.filter(({ status }) => status === 'ONLINE').length === workers;
    });
  }

  /** Waits until a running coordinator owns the job, and answers which. */
  async ownerOf(jobId: string, api: ApiClient = this.api): Promise<CoordinatorHandle> {
    return eventually(`job ${jobId} has an owner that runs`, async () => {
      const { owner } = await api.progress(jobId);
      return this.coordinators.find(({ id, process }) => process.running && id === owner);
    });
  }

  /** An S3 endpoint of its own process, which ends with the cluster. @param directories by bucket name */
  async startS3(directories: Record<string, string>): Promise<S3Process> {
    const s3 = await startS3Process(directories, join(this.directory, 'logs'));
    this.others.push(s3.process);
    return s3;
  }

  /** The object from whichever worker has it, whole; undefined when none has. */
  async readObject(ufsPath: string): Promise<Buffer | undefined> {
    return (await this.readCopies(ufsPath, 1)).at(0);
  }

  /**
   * The object from up to `copies` different workers that hold it: asking brings nothing in.
   * @throws Error for any answer but 200 and 404
   */
  async readCopies(ufsPath: string, copies: number): Promise<Buffer[]> {
    const found: Buffer[] = [];
    for (const { address, process } of this.workers) {
      if (found.length >= copies) break;
      if (!process.running) continue;
      const answer = await request(`http://${address}/v1/objects?cachedOnly=true&path=${encodeURIComponent(ufsPath)}`, {
        dispatcher: this.reading,
      });
      const bytes = Buffer.from(await answer.body.arrayBuffer());
      if (answer.statusCode === 200) found.push(bytes);
      else if (answer.statusCode !== 404) {
        throw new Error(`${process.name} answered ${answer.statusCode} for ${ufsPath}: ${bytes.toString()}`);
      }
    }
    return found;
  }

  /** The end of each process's log. */
  logTails(): string {
    return this.processes.map((process) => process.logTail()).join('\n');
  }

  /**
   * Runs a test's body. When it fails, prints the end of each process's log before it passes the error on; and it fails
   * at once when a process ends that nobody has asked to.
   */
  async watch<T>(body: () => Promise<T>): Promise<T> {
    const crashed = new Promise<never>((_resolve, reject) => {
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

  /** Kills everything that it started and removes what that has written. */
  async dispose(): Promise<void> {
    await Promise.all(this.processes.map((process) => process.kill9()));
    await this.reading.destroy();
    await ('single' in this.servers ? this.nats : this.natsCluster).stop();
    await rm(this.directory, { recursive: true, force: true, maxRetries: 3 });
  }

  private addCoordinator(index: number, port: number): void {
    const api = new ApiClient(`http://127.0.0.1:${port}`);
    const env = { LARDER_PORT: String(port) };
    const name = `coordinator-${index + 1}`;
    const process = this.manage({ name, app: 'coordinator', env, isReady: () => api.isReady() });
    this.coordinators.push({
      process,
      api,
      get id() {
        return readyLine<{ coordinatorId: string }>(process)?.coordinatorId ?? '';
      },
    });
  }

  /** A worker that is not started: for what must be in its cache directory before, or must not let it join. */
  prepareWorker(): WorkerHandle {
    return this.addWorker(this.workers.length);
  }

  private addWorker(index: number): WorkerHandle {
    const cacheDir = join(this.directory, `worker-${index + 1}`);
    const env = { LARDER_CACHE_DIR: cacheDir, LARDER_WORKER_PORT: '0' };
    const isReady = (self: ManagedProcess) => readyAddress(self) !== undefined;
    const process = this.manage({ name: `worker-${index + 1}`, app: 'worker', env, isReady });
    let known: { pid?: number; address: string } = { address: '' };
    const worker: WorkerHandle = {
      process,
      cacheDir,
      get id() {
        return workerIdIn(cacheDir);
      },
      get address() {
        if (known.pid === process.pid && known.address !== '') return known.address;
        const address = readyAddress(process);
        if (address === undefined) throw new Error(`${process.name} is not ready`);
        known = { pid: process.pid, address };
        return address;
      },
    };
    this.workers.push(worker);
    return worker;
  }

  private manage(given: {
    name: string;
    app: 'coordinator' | 'worker';
    env: Record<string, string>;
    isReady: ProcessSpec['isReady'];
  }): ManagedProcess {
    const { name, app, env, isReady } = given;
    return new ManagedProcess({
      name,
      node: this.given.node,
      script: join(this.given.project ?? projectRoot(), `dist/bin/${app}.js`),
      env: { LARDER_NATS_URL: this.natsUrlFor(app), LARDER_SECRET_KEYS: secretKeys, ...this.given.env, ...env },
      logFile: join(this.directory, 'logs', `${name}.log`),
      isReady,
    });
  }
}

/**
 * Starts nats-server, coordinators and workers, and waits until each coordinator is ready and counts all workers
 * ONLINE. Needs the build in dist/. @throws Error with the ends of the logs
 */
export function startCluster(options: ClusterOptions = {}): Promise<TestCluster> {
  return TestCluster.start(options);
}
