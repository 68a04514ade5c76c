import { randomUUID } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'nats';
import {
  compareVersions,
  type NatsServerBinary,
  type NatsServerOptions,
  startNatsServer,
  untilServersMeet,
} from '#nats-server';
import { freePorts, TcpProxy } from '../net/index.js';
import { untilLed } from './stream-leader.js';
import { natsServerBinary } from './test-nats.js';
import { TestNatsNode } from './test-nats-node.js';

export interface TestNatsClusterOptions extends Partial<Pick<NatsServerOptions, 'syncAlways' | 'accounts' | 'nobody'>> {
  version?: string;
  /** Default 3. */
  size?: number;
  /** The servers write into `nats-0`, … below it, and what they have written stays. Default: a temporary directory. */
  directory?: string;
  /** A proxy in each route, one for each direction in which servers connect. Default: none. */
  proxies?: { random?: () => number };
}

/** Whether this machine has a server on which three replicas of the log are not refused. */
export const canReplicate = (): boolean => compareVersions(natsServerBinary().version, '2.10.23') >= 0;

/** Of one server, on a machine that is busy. */
const startTimeoutMs = 60_000;

/** An address that leads nowhere: servers tell it each other, so that no route goes past its proxy. */
const nowhere = '127.0.0.1:1';

/** Servers that form one JetStream cluster on this machine. */
export class TestNatsCluster {
  private readonly stopping = new AbortController();
  /** A name of its own: servers of another run may come to listen on a port where one of these did. */
  private readonly name = `test-${randomUUID()}`;
  readonly nodes: readonly TestNatsNode[];

  private constructor(
    private readonly server: NatsServerBinary,
    private readonly options: TestNatsClusterOptions,
    private readonly directory: string,
    ports: readonly number[],
    /** By the index of the server that connects, then by that of the other. */
    private readonly routes: ReadonlyMap<string, TcpProxy>,
  ) {
    const size = ports.length / 2;
    this.nodes = ports.slice(0, size).map((port, index) => {
      const place = { index, port, routePort: ports[size + index], storeDir: join(directory, `nats-${index}`) };
      const own = [...routes].filter(([pair]) => pair.split('-').includes(String(index))).map(([, proxy]) => proxy);
      return new TestNatsNode(place, own, (node) => this.start(node));
    });
  }

  /** Answers when the servers have elected a leader and place streams on all of them. */
  static async start(options: TestNatsClusterOptions = {}): Promise<TestNatsCluster> {
    const { size = 3 } = options;
    const server = natsServerBinary(options.version);
    const ports = await freePorts(size * 2);
    const routes = new Map<string, TcpProxy>();
    if (options.proxies !== undefined) {
      for (const [from, to] of pairs(size)) {
        const target = `127.0.0.1:${ports[size + to]}`;
        routes.set(`${from}-${to}`, await TcpProxy.start({ target, random: options.proxies.random }));
      }
    }
    const directory = options.directory ?? (await mkdtemp(join(tmpdir(), 'larder-nats-cluster-')));
    const cluster = new TestNatsCluster(server, options, directory, ports, routes);
    try {
      await cluster.startAll();
      const urls = cluster.nodes.map(({ url }) => url);
      await untilServersMeet({ urls, restart: (index) => cluster.nodes[index].restart() });
    } catch (error) {
      await cluster.stop();
      throw error;
    }
    return cluster;
  }

  get version(): string {
    return this.server.version;
  }

  /** All nodes' addresses, separated by commas. */
  get url(): string {
    return this.nodes.map(({ url }) => url).join(',');
  }

  /** `host:port` of each, for what puts proxies before them. */
  get addresses(): string[] {
    return this.nodes.map(({ address }) => address);
  }

  /** The proxies of all routes. */
  get proxies(): TcpProxy[] {
    return [...this.routes.values()];
  }

  /** Told when a server ends that no test has asked to. */
  set onCrash(told: (error: Error) => void) {
    for (const node of this.nodes) node.onCrash = told;
  }

  /** All that do not run, at once: one alone would wait for the others to elect a leader with. */
  async startAll(): Promise<void> {
    if (this.stopping.signal.aborted) return;
    const started = await Promise.allSettled(this.nodes.map((node) => node.start()));
    const failed = started.find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  /** The node that leads a stream (`larder-evt`), once there is one that runs. */
  async leaderOf(stream: string): Promise<TestNatsNode> {
    const running = this.nodes.filter((node) => node.running);
    const nc = await connect({ servers: running.map(({ url }) => url), timeout: 2_000 });
    try {
      return await untilLed(nc, stream, ({ cluster }) =>
        running.find((node) => node.running && node.serverName === cluster?.leader),
      );
    } finally {
      await nc.close();
    }
  }

  /** Kills all nodes, those that are starting as well, and removes what they have written unless it is to stay. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await Promise.all(this.nodes.map((node) => node.settled()));
    await Promise.all(this.nodes.map((node) => node.kill9()));
    await Promise.all(this.proxies.map((proxy) => proxy.stop()));
    if (this.options.directory === undefined) await rm(this.directory, { recursive: true, force: true });
  }

  private async start({ index, serverName, place }: TestNatsNode) {
    if (this.stopping.signal.aborted) throw new Error('these nats-servers are being stopped');
    mkdirSync(place.storeDir, { recursive: true });
    const { syncAlways, accounts, nobody, proxies } = this.options;
    const addressOf = (other: TestNatsNode) =>
      this.routes.get(`${index}-${other.index}`)?.address ?? `127.0.0.1:${other.place.routePort}`;
    const others = proxies === undefined ? this.nodes : this.nodes.filter((node) => node.index !== index);
    return startNatsServer({
      binary: this.server.binary,
      storeDir: place.storeDir,
      port: place.port,
      ...{ syncAlways, accounts, nobody, startTimeoutMs },
      signal: this.stopping.signal,
      cluster: {
        name: this.name,
        serverName,
        port: place.routePort,
        routes: others.map((other) => `nats-route://${addressOf(other)}`),
        ...(proxies === undefined ? {} : { advertise: nowhere, noAdvertise: true }),
      },
    });
  }
}

export function startTestNatsCluster(options: TestNatsClusterOptions = {}): Promise<TestNatsCluster> {
  return TestNatsCluster.start(options);
}

function pairs(size: number): [number, number][] {
  const indexes = Array.from({ length: size }, (_, index) => index);
  return indexes.flatMap((from) => indexes.filter((to) => to !== from).map((to): [number, number] => [from, to]));
}
