// Runs nats-server for the supervisor, as a process of its own so that nats-server is out of reach of the terminal's
// Ctrl-C (it has to outlive the others) and ends with the supervisor however that ends. Ends when nats-server does.
import { exitWithSupervisor } from '#config';
import { findNatsServers, type NatsServerProcess, startNatsServer } from '#nats-server';
import { EXIT_REFUSED, Refusal } from '#process';
import { chooseNatsServer } from './nats-binary.js';
import { NATS_HOST_OPTIONS, type NatsHostOptions, type NatsReady, type NatsSpawned } from './nats-process.js';

// Libraries and child processes create files too: only the owner may read those.
process.umask(0o077);

/** One of several answers only when most of them do: it has to wait for as long as the others are away. */
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
