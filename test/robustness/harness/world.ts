import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import {
  ApiClient,
  eventually,
  type FaultHook,
  freePorts,
  ManagedProcess,
  natsUrlFor,
  projectRoot,
  type Random,
  s3MountOptions,
  S3TestServer,
  TcpProxy,
} from '#testing';
import type { History } from './history.js';
import { Stranger } from './stranger.js';
import { NatsServers } from './nats-servers.js';
import { SmallDisk } from './small-disk.js';
import { makeSources, type Sources } from './sources.js';

/** A process of the system and the links that are its own. */
export interface Member {
  readonly name: string;
  readonly process: ManagedProcess;
  /** One before each nats-server. */
  readonly toNats: readonly TcpProxy[];
}

export interface Coordinator extends Member {
  readonly api: ApiClient;
}

export interface Worker extends Member {
  readonly cacheDir: string;
  /** Before its read path: by it coordinators and other workers reach it. */
  readonly inbound: TcpProxy;
  /** Where it really listens, for the harness itself. */
  readonly address: string;
}

/** In no log and no answer may this be found. */
export const secretCanary = 'canary-4f9b1c7e-secret';
const credentials = { accessKeyId: 'larder-robustness', secretAccessKey: secretCanary };
export const secretKeys = `test:${Buffer.alloc(32, 7).toString('base64')}`;
const members = 3;
const restartPauseMs = 500;

/** Short, so that much happens in little time; the durations of the faults straddle them. */
const settings = {
  LARDER_NATS_REPLICAS: '3',
  LARDER_CACHE_BYTES: '200MiB',
  LARDER_HEARTBEAT_MS: '500',
  LARDER_WORKER_TIMEOUT_MS: '3000',
  LARDER_WORKER_GRACE_MS: '3000',
  LARDER_OWNER_TIMEOUT_MS: '750',
  LARDER_UFS_IDLE_TIMEOUT_MS: '3000',
  LARDER_UFS_CONNECT_TIMEOUT_MS: '2000',
  LARDER_RETRY_MAX_MS: '2000',
  LARDER_BATCH_SIZE: '20',
  LARDER_SNAPSHOT_EVERY: '200',
};

/** Three nats-servers, three coordinators, three workers and an S3 endpoint, with a proxy in every link. */
export class World {
  readonly coordinators: Coordinator[] = [];
  readonly workers: Worker[] = [];
  /** What S3 does wrong now. */
  s3Fault: FaultHook | undefined;
  /** Reads of objects that S3 was asked for, by UFS path. */
  readonly s3Reads = new Map<string, number>();
  /** Knows NATS' passwords and no key of the cluster. */
  readonly stranger: Stranger;

  private constructor(
    /** Below it is everything that the processes write. */
    readonly directory: string,
    readonly nats: NatsServers,
    readonly s3: S3TestServer,
    /** Before S3, for everybody. */
    readonly toS3: TcpProxy,
    readonly sources: Sources,
    /** Of the last worker; undefined where it cannot be had. */
    readonly smallDisk: SmallDisk | undefined,
    private readonly history: History,
  ) {
    this.stranger = new Stranger(() => nats.addresses);
    s3.fault = (asked) => {
      const path = `s3://${asked.bucket}/${asked.key}`;
      // A store in doubt is asked for the first byte of what it gave last: nobody's read.
      const isDoubt = asked.headers.range === 'bytes=0-0';
      if (asked.operation === 'GetObject' && !isDoubt) this.s3Reads.set(path, (this.s3Reads.get(path) ?? 0) + 1);
      return this.s3Fault?.(asked);
    };
  }

  static async start(directory: string, history: History, random: Random): Promise<World> {
    const next = () => random.next();
    mkdirSync(join(directory, 'logs'), { recursive: true });
    const sources = makeSources(join(directory, 'sources'), random.below(1_000_000));
    const s3 = new S3TestServer({ credentials });
    for (const [bucket, bucketDirectory] of Object.entries(sources.buckets)) s3.serveDirectory(bucket, bucketDirectory);
    const { endpoint } = await s3.start();
    const toS3 = await TcpProxy.start({ target: new URL(endpoint).host, random: next });
    let nats: NatsServers;
    try {
      nats = await NatsServers.start(directory, next);
    } catch (error) {
      await toS3.stop();
      await s3.stop();
      throw error;
    }
    const smallDisk = SmallDisk.mount(join(directory, 'worker-3'));
    const world = new World(directory, nats, s3, toS3, sources, smallDisk, history);
    nats.onCrash = (error) => history.accident(error.message);
    try {
      await world.addMembers(next);
      for (const { process } of world.members) process.launch();
      await world.untilWell();
    } catch (error) {
      await world.dispose();
      throw error;
    }
    return world;
  }

  get members(): readonly Member[] {
    return [...this.coordinators, ...this.workers];
  }

  get proxies(): TcpProxy[] {
    const ofMembers = this.members.flatMap(({ toNats }) => toNats);
    return [...ofMembers, ...this.workers.map(({ inbound }) => inbound), this.toS3, ...this.nats.allRoutes];
  }

  /** Mount options of the buckets. */
  get s3Options(): Record<string, string> {
    return s3MountOptions(`http://${this.toS3.address}`, credentials);
  }

  get logFiles(): string[] {
    return [
      ...this.members.map(({ process }) => process.spec.logFile),
      ...this.nats.indexes.map((index) => this.nats.logFile(index)),
    ];
  }

  /** Ends every fault: links pass, S3 answers, there is room on disk, whoever sleeps or is gone comes back. */
  async heal(): Promise<void> {
    for (const proxy of this.proxies) proxy.setMode({ kind: 'pass' });
    this.s3Fault = undefined;
    this.smallDisk?.makeRoom();
    for (const index of this.nats.indexes) this.nats.signal(index, 'SIGCONT');
    for (const { process } of this.members) process.resume();
    await this.nats.startAll();
    for (const { process } of this.members) if (!process.running) process.launch();
  }

  /** Waits until each coordinator is ready and counts all workers ONLINE. */
  async untilWell(timeoutMs = 60_000): Promise<void> {
    const well = async ({ api }: Coordinator) => {
      if (!(await api.isReady())) return false;
      const nodes = await api.nodes().catch(() => []);
      return nodes.filter(({ status }) => status === 'ONLINE').length === members;
    };
    for (const one of this.coordinators) {
      await eventually(`${one.name} is ready and counts ${members} workers ONLINE`, () => well(one), { timeoutMs });
    }
  }

  async dispose(): Promise<void> {
    for (const { process } of this.members) process.onCrash = undefined;
    await Promise.all(this.members.map(({ process }) => process.kill9()));
    await this.nats.stop();
    await Promise.all(this.proxies.map((proxy) => proxy.stop()));
    await this.s3.stop();
    this.smallDisk?.unmount();
  }

  private async addMembers(random: () => number): Promise<void> {
    const ports = await freePorts(members * 2);
    for (let i = 0; i < members; i++) {
      const port = ports[i];
      const api = new ApiClient(`http://127.0.0.1:${port}`);
      const env = { LARDER_PORT: String(port) };
      const coordinator = await this.member(`coordinator-${i + 1}`, env, () => api.isReady(), random);
      this.coordinators.push({ ...coordinator, api });
    }
    for (let i = 0; i < members; i++) {
      const address = `127.0.0.1:${ports[members + i]}`;
      const inbound = await TcpProxy.start({ target: address, random });
      const cacheDir = join(this.directory, `worker-${i + 1}`);
      const env = {
        LARDER_CACHE_DIR: cacheDir,
        LARDER_WORKER_PORT: String(ports[members + i]),
        LARDER_WORKER_ADVERTISE: inbound.address,
      };
      const ready = (self: ManagedProcess) => self.log().includes('"msg":"worker ready"');
      this.workers.push({ ...(await this.member(`worker-${i + 1}`, env, ready, random)), cacheDir, inbound, address });
    }
  }

  private async member(
    name: string,
    env: Record<string, string>,
    isReady: (self: ManagedProcess) => Promise<boolean> | boolean,
    random: () => number,
  ): Promise<Member> {
    const toNats = await Promise.all(this.nats.addresses.map((target) => TcpProxy.start({ target, random })));
    const app = name.startsWith('worker') ? 'worker' : 'coordinator';
    const process = new ManagedProcess({
      name,
      script: join(projectRoot(), `dist/bin/${app}.js`),
      env: {
        ...settings,
        LARDER_NATS_URL: natsUrlFor(app, toNats.map(({ address }) => address).join(',')),
        LARDER_SECRET_KEYS: secretKeys,
        ...env,
      },
      logFile: join(this.directory, 'logs', `${name}.log`),
      isReady,
    });
    process.onCrash = (error) => this.ended(process, error);
    return { name, process, toNats };
  }
  /** As a supervisor does: who could not start as the log was away tries again. Any other end is an accident. */
  private ended(process: ManagedProcess, error: Error): void {
    if (/"msg":"(?:worker|coordinator) ready"/.test(process.log())) {
      this.history.accident(`${error.message}\n${process.logTail(5)}`);
    }
    setTimeout(() => {
      if (process.onCrash !== undefined && !process.running) process.launch();
    }, restartPauseMs).unref();
  }
}
