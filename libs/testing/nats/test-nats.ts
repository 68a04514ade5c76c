import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  compareVersions,
  findNatsServersSync,
  type NatsServerBinary,
  type NatsServerOptions,
  type NatsServerProcess,
  startNatsServer,
} from '#nats-server';
import { installationDirectory } from '#process';

export interface TestNatsOptions extends Partial<
  Pick<NatsServerOptions, 'token' | 'accounts' | 'nobody' | 'syncAlways' | 'maxPayloadBytes' | 'port'>
> {
  /** As `availableNatsVersions()` lists them. Default: the newest. */
  version?: string;
}

/** A nats-server for one test: free port, temporary directory. */
export interface TestNats {
  readonly url: string;
  readonly port: number;
  readonly version: string;
  readonly storeDir: string;
  readonly process: NatsServerProcess;
  /** SIGKILL, and waits until the process is gone. */
  kill9(): Promise<void>;
  /** Starts it again on the same port and directory; kills it first if it still runs. */
  restart(): Promise<void>;
  /** Ends it and removes its directory. */
  stop(): Promise<void>;
}

/** The directory that holds package.json, at or above the working directory. */
export function projectRoot(): string {
  return installationDirectory(process.cwd());
}

/** One executable per version that this machine has, oldest first. */
function availableNatsServers(): NatsServerBinary[] {
  const byVersion = new Map<string, NatsServerBinary>();
  for (const server of findNatsServersSync(process.env, projectRoot())) {
    if (!byVersion.has(server.version)) byVersion.set(server.version, server);
  }
  return [...byVersion.values()].sort((a, b) => compareVersions(a.version, b.version));
}

/** The versions to run a test against, oldest first; for `describe.each`. Throws if this machine has none. */
export function availableNatsVersions(): string[] {
  natsServerBinary();
  return availableNatsServers().map((server) => server.version);
}

/** @param version default: the newest */
export function natsServerBinary(version?: string): NatsServerBinary {
  const servers = availableNatsServers();
  const server = version === undefined ? servers.at(-1) : servers.find((one) => one.version === version);
  if (server === undefined) {
    const wanted = version === undefined ? 'nats-server' : `nats-server ${version}`;
    throw new Error(`this machine has no ${wanted}: run node scripts/nats-server.mjs, or set LARDER_NATS_SERVER_BIN`);
  }
  return server;
}

export async function startTestNats(options: TestNatsOptions = {}): Promise<TestNats> {
  const { version: wanted, ...rest } = options;
  const { binary, version } = natsServerBinary(wanted);
  const storeDir = await mkdtemp(join(tmpdir(), 'larder-nats-'));
  let running: NatsServerProcess;
  try {
    running = await startNatsServer({ binary, storeDir, ...rest });
  } catch (error) {
    await rm(storeDir, { recursive: true, force: true });
    throw error;
  }
  const { url, port } = running;
  return {
    url,
    port,
    version,
    storeDir,
    get process() {
      return running;
    },
    kill9: () => running.kill('SIGKILL'),
    restart: async () => {
      await running.kill('SIGKILL');
      running = await startNatsServer({ binary, storeDir, ...rest, port });
    },
    stop: async () => {
      await running.kill('SIGKILL');
      await rm(storeDir, { recursive: true, force: true });
    },
  };
}
