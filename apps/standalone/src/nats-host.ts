// Runs nats-server for the supervisor, in a process of its own. So Ctrl-C in the terminal does not reach nats-server,
// which must outlive the others. It ends with the supervisor, however that ends. This process ends with nats-server.
import { exitWithSupervisor } from '#config';
import { findNatsServers, type NatsServerProcess, startNatsServer } from '#nats-server';
import { EXIT_REFUSED, Refusal } from '#process';
import { chooseNatsServer } from './nats-binary.js';
import { NATS_HOST_OPTIONS, type NatsHostOptions, type NatsReady, type NatsSpawned } from './nats-process.js';

// Files that libraries and child processes create must be readable by the owner only, too.
process.umask(0o077);

/** One of several servers answers only when most of them are up. So it must wait as long as the others are away. */
const clusterStartTimeoutMs = 24 * 3_600_000;

const stopping = new AbortController();
let server: NatsServerProcess | undefined;

async function main(options: NatsHostOptions): Promise<void> {
  const { root, servers, storeDir, accounts, logFile, cluster, routePassword } = options;
  const found = await findNatsServers(process.env, root);
  const { binary } = chooseNatsServer(found, servers, process.env.LARDER_NATS_SERVER_BIN);
  server = await startNatsServer({
    binary,
    storeDir,
    port: options.port,
    accounts,
    syncAlways: true,
    logFile,
    ...(cluster ? { cluster: { name: 'larder', ...cluster, password: routePassword } } : {}),
    ...(cluster ? { startTimeoutMs: clusterStartTimeoutMs } : {}),
    signal: stopping.signal,
    onSpawn: (pid) => process.send?.({ pid } satisfies NatsSpawned),
  });
  if (stopping.signal.aborted) await server.stop();
  else {
    const { port, pid, version } = server;
    process.send?.({ port, pid, version } satisfies NatsReady);
  }
  const { code, signal } = await server.exited;
  if (stopping.signal.aborted) return;
  throw new Error(`nats-server ${signal ? `was ended by ${signal}` : `ended with code ${code}`}`);
}

async function stop(): Promise<void> {
  stopping.abort();
  await server?.stop();
}

exitWithSupervisor(stop);
process.once('SIGTERM', () => void stop());
try {
  await main(JSON.parse(process.env[NATS_HOST_OPTIONS] ?? '') as NatsHostOptions);
  process.exit(0);
} catch (error) {
  if (stopping.signal.aborted) process.exit(0);
  console.error(error instanceof Error ? error.message : error);
  process.exit(error instanceof Refusal ? EXIT_REFUSED : 1);
}
