import { join } from 'node:path';
import { Agent, request } from 'undici';
import { HashRing } from '#hash-ring';
import { type Role } from '#jetstream';
import {
  natsUrlFor,
  startTestNats,
  startTestNatsCluster,
  testWalls,
  type TestNats,
  type TestNatsCluster,
} from '../nats/index.js';
import { freePorts, type TcpProxy } from '../net/index.js';
import { type ApiClient } from './api-client.js';
import { ClusterMembers, type CoordinatorHandle, type WorkerHandle } from './cluster-members.js';
import { type ManagedProcess } from './managed-process.js';
import { clusterDirectory, type ClusterDirectory, ProcessCluster } from './process-cluster.js';
import { startS3Process, type S3Process } from './s3-process.js';
import { eventually } from './until.js';

export interface ClusterOptions {
  /** Default 1. */
  coordinators?: number;
  /** Default 2. */
  workers?: number;
  /** `LARDER_…` settings of all processes, beside `usualSettings`. */
  env?: Record<string, string>;
  /** As `availableNatsVersions()` lists them. Default: the newest. */
  natsVersion?: string;
  /** 3: a cluster of servers, on which the log has three replicas; see `natsCluster`. Default 1; see `nats`. */
  natsServers?: 1 | 3;
  /**
   * A `TcpProxy` in every link: between each process and each nats-server, between nats-servers, and before the read path
   * of each worker. Default false.
   */
  proxies?: boolean | { random?: () => number };
  /** Where everything is written; it stays. Default: a temporary directory. */
  directory?: string;
  /** The Node that runs coordinators and workers. Default: the one that runs the tests. */
  node?: string;
  /** The project whose build runs, such as a copy with other sources. Default: this one. */
  project?: string;
}

/** Settings of every cluster whose test does not say otherwise. */
const usualSettings = {
  // Mounts do not ask their store: tests stay on loopback.
  LARDER_MOUNT_CHECK_MS: '0',
  // Tests wait for heartbeats: for a worker that joins, and for what workers hold.
  LARDER_HEARTBEAT_MS: '200',
  // No balancer has to notice the end of a coordinator.
  LARDER_DRAIN_MS: '0',
};

type NatsServers = { single: TestNats } | { several: TestNatsCluster };

/** A cluster whose coordinators and workers the test starts itself, each as a process that it can harm alone. */
export class TestCluster extends ProcessCluster {
  private readonly others: ManagedProcess[] = [];
  private readonly reading = new Agent({ connections: 32 });

  private constructor(
    place: ClusterDirectory,
    private readonly servers: NatsServers,
    private readonly members: ClusterMembers,
  ) {
    super(place);
  }

  static async start(options: ClusterOptions): Promise<TestCluster> {
    const { coordinators = 1, workers = 2, env = {}, natsVersion: version } = options;
    const proxies = options.proxies === true ? {} : options.proxies || undefined;
    const servers: NatsServers =
      options.natsServers === 3
        ? { several: await startTestNatsCluster({ version, ...testWalls(), proxies, directory: options.directory }) }
        : { single: await startTestNats({ version, ...testWalls() }) };
    const place = clusterDirectory(options.directory);
    const own = { LARDER_NATS_REPLICAS: 'several' in servers ? '3' : '1', ...usualSettings };
    const natsAddresses = 'several' in servers ? servers.several.addresses : [`127.0.0.1:${servers.single.port}`];
    const members = new ClusterMembers({
      ...{ directory: place.path, natsAddresses, proxies },
      ...{ env: { ...own, ...env }, node: options.node, project: options.project },
    });
    const cluster = new TestCluster(place, servers, members);
    await cluster.launch(workers, async () => {
      // All at once: two calls could give the same port twice, as nobody listens on it yet.
      const ports = await freePorts(coordinators + workers);
      for (const port of ports.slice(0, coordinators)) await members.addCoordinator(port);
      for (const port of ports.slice(coordinators)) await members.addWorker(port);
    });
    return cluster;
  }

  get coordinators(): readonly CoordinatorHandle[] {
    return this.members.coordinators;
  }

  get workers(): readonly WorkerHandle[] {
    return this.members.workers;
  }

  /** All proxies there are: none unless the cluster was started with them. */
  get proxies(): TcpProxy[] {
    const routes = 'several' in this.servers ? this.servers.several.proxies : [];
    return [...this.members.proxies, ...routes];
  }

  /** Every link passes again what it is given. */
  passAll(): void {
    for (const proxy of this.proxies) proxy.setMode({ kind: 'pass' });
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

  /** For tests, which have all rights there: all servers' addresses, separated by commas. */
  get natsUrl(): string {
    return ('single' in this.servers ? this.nats : this.natsCluster).url;
  }

  /** The addresses with the name and password of a role, and so with that role's rights only. */
  natsUrlFor(role: Role): string {
    return natsUrlFor(role, this.natsUrl);
  }

  /** The first coordinator's. */
  get api(): ApiClient {
    return this.coordinators[0].api;
  }

  protected get apis(): readonly ApiClient[] {
    return this.coordinators.map(({ api }) => api);
  }

  get processes(): ManagedProcess[] {
    return [...this.coordinators, ...this.workers].map(({ process }) => process).concat(this.others);
  }

  /**
   * Starts another worker, on a cache directory of its own. Resolves when every coordinator that runs counts it ONLINE.
   */
  async startWorker(): Promise<WorkerHandle> {
    const worker = await this.members.addWorker();
    await this.startLate(worker.process);
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

  /** Waits until a running coordinator owns the job, and returns it. */
  async ownerOf(jobId: string, api: ApiClient = this.api): Promise<CoordinatorHandle> {
    return eventually(`job ${jobId} has an owner that runs`, async () => {
      const { owner } = await api.progress(jobId);
      return this.coordinators.find(({ id, process }) => process.running && id === owner);
    });
  }

  /** An S3 endpoint in a process of its own, which ends with the cluster. @param directories by bucket name */
  async startS3(directories: Record<string, string>): Promise<S3Process> {
    const s3 = await startS3Process(directories, join(this.directory, 'logs'));
    this.others.push(s3.process);
    return s3;
  }

  /** The whole object from a worker that has it; undefined when no worker has it. */
  async readObject(ufsPath: string): Promise<Buffer | undefined> {
    return (await this.readCopies(ufsPath, 1)).at(0);
  }

  /** The object from up to `copies` different workers that hold it; see `copyReader`. */
  readCopies(ufsPath: string, copies: number): Promise<Buffer[]> {
    return this.copyReader()(ufsPath, copies);
  }

  /**
   * Reads an object from up to `copies` different workers that hold it, for many objects one after another. The requests
   * do not make a worker fetch it. They go to the owners first: asking all workers costs more than the reads themselves.
   * @throws Error for any answer but 200 and 404
   */
  copyReader(): (ufsPath: string, copies: number) => Promise<Buffer[]> {
    const running = this.workers.filter(({ process }) => process.running).map((worker) => [worker.id, worker] as const);
    const workers = new Map(running);
    const ring = new HashRing(workers.keys());
    return async (ufsPath, copies) => {
      const found: Buffer[] = [];
      for (const owner of ring.owners(ufsPath, workers.size)) {
        const worker = workers.get(owner)!;
        if (found.length >= copies) break;
        if (!worker.process.running) continue;
        const bytes = await this.readFrom(worker, ufsPath);
        if (bytes !== undefined) found.push(bytes);
      }
      return found;
    };
  }

  private async readFrom({ address, process }: WorkerHandle, ufsPath: string): Promise<Buffer | undefined> {
    const answer = await request(`http://${address}/v1/objects?cachedOnly=true&path=${encodeURIComponent(ufsPath)}`, {
      dispatcher: this.reading,
    });
    const bytes = Buffer.from(await answer.body.arrayBuffer());
    if (answer.statusCode === 200) return bytes;
    if (answer.statusCode === 404) return undefined;
    throw new Error(`${process.name} answered ${answer.statusCode} for ${ufsPath}: ${bytes.toString()}`);
  }

  /** A worker that is not started: for what must be in its cache directory before, or must not let it join. */
  prepareWorker(): Promise<WorkerHandle> {
    return this.members.addWorker();
  }

  /** Kills everything. */
  protected async end(): Promise<void> {
    await Promise.all(this.processes.map((process) => process.kill9()));
    await this.reading.destroy();
    await ('single' in this.servers ? this.nats : this.natsCluster).stop();
    await Promise.all(this.proxies.map((proxy) => proxy.stop()));
  }
}

/**
 * Starts nats-server, coordinators and workers, and waits until each coordinator is ready and counts all workers
 * ONLINE. Needs the build in dist/. @throws Error with the ends of the logs
 */
export function startCluster(options: ClusterOptions = {}): Promise<TestCluster> {
  return TestCluster.start(options);
}
