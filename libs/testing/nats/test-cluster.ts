import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'nats';
import { type NatsServerOptions, type NatsServerProcess, startNatsServer, untilServersMeet } from '#nats-server';
import { eventually } from '../cluster/until.js';
import { freePorts } from '../net/index.js';
import { natsServerBinary } from './test-nats.js';

export interface TestNatsNode {
  readonly serverName: string;
  readonly url: string;
  /** The process of its current life, or of the last one. */
  readonly process: NatsServerProcess;
  readonly running: boolean;
  /** SIGKILL, and waits until the process is gone. */
  kill9(): Promise<void>;
  /** SIGTERM, and waits until the process is gone. */
  stop(): Promise<void>;
  /**
   * Starts it again on the same ports and directory; kills it first if it still runs. Resolves when its JetStream
   * answers. That needs a majority of the servers, so start several at once when most are gone.
   */
  restart(): Promise<void>;
  /** SIGSTOP: it keeps its connections and does nothing. */
  pause(): void;
  resume(): void;
}

/** Servers that form one JetStream cluster on this machine. */
export interface TestNatsCluster {
  /** All nodes' addresses, separated by commas. */
  readonly url: string;
  readonly version: string;
  readonly nodes: readonly TestNatsNode[];
  /** The node that leads a stream (`larder-evt`), once a running node does. */
  leaderOf(stream: string): Promise<TestNatsNode>;
  /** Kills all nodes and removes their directories. */
  stop(): Promise<void>;
}

/** Starts `size` (default 3) servers. Resolves when they have elected a leader and place streams on all of them. */
export async function startTestNatsCluster(
  options: { version?: string; size?: number } & Partial<
    Pick<NatsServerOptions, 'syncAlways' | 'accounts' | 'nobody'>
  > = {},
): Promise<TestNatsCluster> {
  const size = options.size ?? 3;
  const { binary, version } = natsServerBinary(options.version);
  const directory = await mkdtemp(join(tmpdir(), 'larder-nats-cluster-'));
  const ports = await freePorts(size * 2);
  const routes = ports.slice(size).map((port) => `nats-route://127.0.0.1:${port}`);
  // A server of another test run may later listen on the port of one of these. The name tells the clusters apart.
  const name = `test-${randomUUID()}`;
  const start = (index: number) =>
    startNatsServer({
      binary,
      storeDir: join(directory, `n${index}`),
      port: ports[index],
      syncAlways: options.syncAlways,
      accounts: options.accounts,
      nobody: options.nobody,
      cluster: { name, serverName: `n${index}`, port: ports[size + index], routes },
    });
  const started = await Promise.allSettled(ports.slice(0, size).map((_, index) => start(index)));
  const processes = started.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  const stop = async () => {
    await Promise.all(processes.map((one) => one.kill('SIGKILL')));
    await rm(directory, { recursive: true, force: true });
  };
  const failed = started.find((result) => result.status === 'rejected');
  if (failed !== undefined) {
    await stop();
    throw failed.reason;
  }
  const nodes = processes.map((_, index) => clusterNode(processes, index, () => start(index)));
  try {
    await untilServersMeet({ urls: nodes.map(({ url }) => url), restart: (index) => nodes[index].restart() });
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    url: nodes.map((node) => node.url).join(','),
    version,
    nodes,
    leaderOf: (stream) => leaderOf(nodes, stream),
    stop,
  };
}

/** @param processes of all nodes, by index: their current or last ones. A restart replaces the node's process there. */
function clusterNode(
  processes: NatsServerProcess[],
  index: number,
  start: () => Promise<NatsServerProcess>,
): TestNatsNode {
  const ended = new Set<NatsServerProcess>();
  const noteEnd = (one: NatsServerProcess) => void one.exited.then(() => ended.add(one));
  noteEnd(processes[index]);
  return {
    serverName: `n${index}`,
    url: processes[index].url,
    get process() {
      return processes[index];
    },
    get running() {
      return !ended.has(processes[index]);
    },
    kill9: () => processes[index].kill('SIGKILL'),
    stop: () => processes[index].stop(),
    restart: async () => {
      await processes[index].kill('SIGKILL');
      processes[index] = await start();
      noteEnd(processes[index]);
    },
    pause: () => signal(processes[index], 'SIGSTOP'),
    resume: () => signal(processes[index], 'SIGCONT'),
  };
}

/** Unlike the `kill` of the process, does not wait for its end. */
function signal({ pid }: NatsServerProcess, name: 'SIGSTOP' | 'SIGCONT'): void {
  process.kill(pid, name);
}

async function leaderOf(nodes: readonly TestNatsNode[], stream: string): Promise<TestNatsNode> {
  const running = nodes.filter((node) => node.running);
  const nc = await connect({ servers: running.map(({ url }) => url), timeout: 2_000 });
  try {
    const jsm = await nc.jetstreamManager({ timeout: 2_000, checkAPI: false });
    let found: TestNatsNode | undefined;
    await eventually(`stream ${stream} has a leader`, async () => {
      const info = await jsm.streams.info(stream).catch(() => undefined);
      return (found = running.find((node) => node.running && node.serverName === info?.cluster?.leader));
    });
    return found!;
  } finally {
    await nc.close();
  }
}
