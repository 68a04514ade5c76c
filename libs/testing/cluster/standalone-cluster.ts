import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect, type NatsConnection } from 'nats';
import { inboxPrefixOf, Names, natsUser, type Role } from '#jetstream';
import { projectRoot } from '../nats/index.js';
import { consecutiveFreePorts } from '../net/index.js';
import { ApiClient } from './api-client.js';
import { ManagedProcess, tailOf } from './managed-process.js';
import { clusterDirectory, type ClusterDirectory, ProcessCluster } from './process-cluster.js';

export interface StandaloneOptions {
  /** Default 1. */
  coordinators?: number;
  /** Default 1. */
  workers?: number;
  /** Default 1. */
  natsServers?: 1 | 3;
  /** A balancer before the coordinators. Default false. */
  balancer?: boolean;
  /** Further `LARDER_…` settings. */
  env?: Record<string, string>;
  /** What runs, by its absolute path. Default: the script that `npm start` ends in. */
  script?: string;
  /** For a script that compiles first. Default: as any process. */
  startWithinMs?: number;
  /** The Node that runs it. Default: the one that runs the tests. */
  node?: string;
  /** Where everything is written; it stays. Default: a temporary directory. */
  directory?: string;
}

/** What `npm start`, `npm run cluster` and `npm run dev` start: one process, which starts and supervises all others. */
export class StandaloneCluster extends ProcessCluster {
  readonly dataDir: string;
  /** Undefined without a balancer. */
  readonly balancer: ApiClient | undefined;
  readonly coordinators: readonly ApiClient[];
  /** The supervisor. Its log tells what becomes of the others. */
  readonly process: ManagedProcess;

  private constructor(place: ClusterDirectory, options: StandaloneOptions, ports: number[], balancerPort?: number) {
    super(place);
    const { workers = 1, natsServers = 1, env = {}, node, startWithinMs } = options;
    const client = (port: number) => new ApiClient(`http://127.0.0.1:${port}`);
    this.dataDir = join(this.directory, 'data');
    this.balancer = balancerPort === undefined ? undefined : client(balancerPort);
    this.coordinators = ports.map(client);
    this.process = new ManagedProcess({
      name: 'standalone',
      ...{ node, startWithinMs },
      script: options.script ?? join(projectRoot(), 'dist/bin/standalone.js'),
      env: {
        LARDER_DATA_DIR: this.dataDir,
        LARDER_NATS_SERVERS: String(natsServers),
        LARDER_COORDINATORS: String(ports.length),
        LARDER_WORKERS: String(workers),
        LARDER_PORT: String(ports[0]),
        ...(balancerPort === undefined ? {} : { LARDER_BALANCER_PORT: String(balancerPort) }),
        // By the name of an npm script it knows to end with its parent, so with the test run.
        npm_lifecycle_event: 'start',
        ...env,
      },
      logFile: join(this.directory, 'logs', 'standalone.log'),
      isReady: (self) => self.log().includes('Ctrl-C stops everything'),
    });
  }

  static async start(options: StandaloneOptions = {}): Promise<StandaloneCluster> {
    const { coordinators = 1, workers = 1, balancer = false } = options;
    const ports = await consecutiveFreePorts(coordinators + Number(balancer));
    const balancerPort = balancer ? ports.pop() : undefined;
    const cluster = new StandaloneCluster(clusterDirectory(options.directory), options, ports, balancerPort);
    await cluster.launch(workers);
    return cluster;
  }

  /** The balancer's, or else the first coordinator's. */
  get api(): ApiClient {
    return this.balancer ?? this.coordinators[0];
  }

  protected get apis(): readonly ApiClient[] {
    return [...(this.balancer ? [this.balancer] : []), ...this.coordinators];
  }

  get processes(): readonly ManagedProcess[] {
    return [this.process];
  }

  /** As a coordinator, through the nats-servers of a cluster that has several. */
  async connectNats(): Promise<NatsConnection> {
    const { natsPasswords } = this.json<{ natsPasswords: Record<Role, string> }>('secrets.json');
    const servers = this.natsPorts().map(({ port }) => `127.0.0.1:${port}`);
    const user = natsUser(new Names(), 'coordinator');
    return connect({
      servers,
      user,
      pass: natsPasswords.coordinator,
      inboxPrefix: inboxPrefixOf(user),
      maxReconnectAttempts: -1,
      timeout: 2_000,
    });
  }

  /** Of a cluster that has several nats-servers. */
  natsPorts(): { port: number; routePort: number }[] {
    return this.json('nats/servers.json');
  }

  /** Process ids of those that it supervises, by name: `coordinator-1`, `nats-server-2` … */
  pids(): Record<string, number> {
    const files = readdirSync(join(this.dataDir, 'run'));
    return Object.fromEntries(
      files.map((file) => [file.replace('.pid', ''), this.json<{ pid: number }>(`run/${file}`).pid]),
    );
  }

  /** The log of one that it supervises, over all its lives. @param name such as `worker-1` */
  logOf(name: string): string {
    return readFileSync(join(this.dataDir, 'logs', `${name}.log`), 'utf8');
  }

  override logTails(): string {
    return [super.logTails(), ...this.logNames().map((name) => tailOf(name, this.logOf(name), 20))].join('\n');
  }

  /** Stops the supervisor, which ends the others. To kill it would leave them alone. */
  protected async end(): Promise<void> {
    if (this.process.running) await this.process.stop();
  }

  private logNames(): string[] {
    try {
      const files = readdirSync(join(this.dataDir, 'logs'));
      return files.filter((file) => file.endsWith('.log')).map((file) => file.slice(0, -'.log'.length));
    } catch {
      // It did not come so far.
      return [];
    }
  }

  private json<T>(file: string): T {
    return JSON.parse(readFileSync(join(this.dataDir, file), 'utf8')) as T;
  }
}

/** Starts a standalone cluster, and waits until all of it is ready and every worker ONLINE. @throws Error with the logs' ends */
export function startStandaloneCluster(options: StandaloneOptions = {}): Promise<StandaloneCluster> {
  return StandaloneCluster.start(options);
}
