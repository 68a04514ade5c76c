import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer } from 'node:net';
import { connect, type NatsConnection, type StreamInfo } from 'nats';
import { inboxPrefixOf, Names, natsUser, type Role } from '#jetstream';
import { ApiClient, eventually, freePorts, ManagedProcess, projectRoot } from '#testing';

/** The cluster of `npm run cluster`, in a temporary directory and on free ports. */
export class StandaloneCluster {
  readonly dataDir: string;
  readonly process: ManagedProcess;

  private constructor(
    readonly directory: string,
    readonly balancer: ApiClient,
    readonly coordinators: readonly ApiClient[],
    env: Record<string, string>,
  ) {
    this.dataDir = join(directory, 'data');
    this.process = new ManagedProcess({
      name: 'standalone',
      script: join(projectRoot(), 'dist/bin/standalone.js'),
      // With the name of an npm script, the process ends with its parent, so with the test run.
      env: { ...env, LARDER_DATA_DIR: this.dataDir, npm_lifecycle_event: 'cluster' },
      logFile: join(directory, 'standalone.log'),
      isReady: (self) => self.log().includes('Ctrl-C stops everything'),
    });
  }

  /** Prepares the cluster without starting it. */
  static async create(more: Record<string, string> = {}): Promise<StandaloneCluster> {
    const [balancerPort] = await freePorts(1);
    const [port] = await consecutivePorts(3);
    const env = {
      LARDER_NATS_SERVERS: '3',
      LARDER_COORDINATORS: '3',
      LARDER_WORKERS: '3',
      LARDER_BALANCER_PORT: String(balancerPort),
      LARDER_PORT: String(port),
      ...more,
    };
    const client = (at: number) => new ApiClient(`http://127.0.0.1:${at}`);
    const directory = mkdtempSync(join(tmpdir(), 'larder-run-cluster-'));
    return new StandaloneCluster(
      directory,
      client(balancerPort),
      [0, 1, 2].map((i) => client(port + i)),
      env,
    );
  }

  /** Connects with the credentials of a coordinator. */
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

  natsPorts(): { port: number; routePort: number }[] {
    return this.json('nats/servers.json');
  }

  /** @param name as in the stream information: `nats-2` */
  natsPid(name: string): number {
    return this.json<{ pid: number }>(`run/${name.replace('nats', 'nats-server')}.pid`).pid;
  }

  /** Waits for the leader of a stream. @returns its name */
  async streamInfo(nc: NatsConnection, stream: string): Promise<StreamInfo> {
    const jsm = await nc.jetstreamManager({ timeout: 2_000, checkAPI: false });
    return eventually(`stream ${stream} has a leader`, async () => {
      const info = await jsm.streams.info(stream).catch(() => undefined);
      return info?.cluster?.leader ? info : undefined;
    });
  }

  /** The end of every log. */
  logTails(): string {
    const logs = ['coordinator-1', 'coordinator-2', 'coordinator-3', 'worker-1', 'nats-server-1', 'balancer'];
    const tails = logs.map((name) => join(this.dataDir, 'logs', `${name}.log`)).filter((file) => existsSync(file));
    const tail = (file: string) => `--- ${file}\n${readFileSync(file, 'utf8').split('\n').slice(-20).join('\n')}`;
    return [this.process.logTail(), ...tails.map(tail)].join('\n');
  }

  /** Kills the processes that still run, with their children, and removes all files. */
  async dispose(): Promise<void> {
    if (this.process.running) await this.process.stop();
    rmSync(this.directory, { recursive: true, force: true, maxRetries: 5 });
  }

  private json<T>(file: string): T {
    return JSON.parse(readFileSync(join(this.dataDir, file), 'utf8')) as T;
  }
}

/** Finds this many consecutive free ports. */
async function consecutivePorts(count: number): Promise<number[]> {
  for (;;) {
    const [first] = await freePorts(1);
    const wanted = Array.from({ length: count }, (_, i) => first + i);
    const free = await Promise.all(wanted.map((port) => isFree(port)));
    if (free.every(Boolean)) return wanted;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((answer) => {
    const server = createServer();
    server.once('error', () => answer(false));
    server.listen(port, '127.0.0.1', () => server.close(() => answer(true)));
  });
}
