import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type NatsServerProcess, startNatsServer } from '#nats-server';
import { freePorts, natsServerBinary } from './test-nats.js';

export interface TestNatsNode {
  readonly serverName: string;
  readonly url: string;
  readonly process: NatsServerProcess;
  kill9(): Promise<void>;
  restart(): Promise<void>;
}

/** Servers that form one JetStream cluster on this machine. */
export interface TestNatsCluster {
  /** All nodes' addresses, separated by commas. */
  readonly url: string;
  readonly version: string;
  readonly nodes: readonly TestNatsNode[];
  stop(): Promise<void>;
}

/** Starts `size` (default 3) servers; answers when each one's JetStream answers, so when they have elected a leader. */
export async function startTestNatsCluster(
  options: { version?: string; size?: number } = {},
): Promise<TestNatsCluster> {
  const size = options.size ?? 3;
  const { binary, version } = natsServerBinary(options.version);
  const directory = await mkdtemp(join(tmpdir(), 'larder-nats-cluster-'));
  const ports = await freePorts(size * 2);
  const routes = ports.slice(size).map((port) => `nats-route://127.0.0.1:${port}`);
  const start = (index: number) =>
    startNatsServer({
      binary,
      storeDir: join(directory, `n${index}`),
      port: ports[index],
      cluster: { name: 'test', serverName: `n${index}`, port: ports[size + index], routes },
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
  const nodes = processes.map((first, index) => ({
    serverName: `n${index}`,
    url: first.url,
    get process() {
      return processes[index];
    },
    kill9: () => processes[index].kill('SIGKILL'),
    restart: async () => {
      await processes[index].kill('SIGKILL');
      processes[index] = await start(index);
    },
  }));
  return { url: nodes.map((node) => node.url).join(','), version, nodes, stop };
}
