// Runs nats-server for the supervisor, as a process of its own so that nats-server is out of reach of the terminal's
// Ctrl-C (it has to outlive the others) and ends with the supervisor however that ends. Ends when nats-server does.
import { ConfigError, EXIT_REFUSED, exitWithSupervisor } from '#config';
import { findNatsServers, startNatsServer } from '#nats-server';
import { NATS_HOST_OPTIONS, type NatsHostOptions, type NatsReady } from './nats-process.js';

async function main(): Promise<void> {
  const { root, storeDir, port, token, logFile } = JSON.parse(process.env[NATS_HOST_OPTIONS] ?? '') as NatsHostOptions;
  const [found] = await findNatsServers(process.env, root);
  if (!found) {
    throw new ConfigError([
      'No nats-server was found: install one (`apt-get install nats-server` or `brew install nats-server`), or set LARDER_NATS_URL.',
    ]);
  }
  const server = await startNatsServer({ binary: found.binary, storeDir, port, token, syncAlways: true, logFile });
  let stopping = false;
  const stop = async () => {
    stopping = true;
    await server.stop();
  };
  exitWithSupervisor(stop);
  process.once('SIGTERM', () => void stop());
  process.send?.({ url: server.url, port: server.port, pid: server.pid, version: server.version } satisfies NatsReady);

  const { code, signal } = await server.exited;
  if (!stopping) console.error(`nats-server ${signal ? `was ended by ${signal}` : `ended with code ${code}`}`);
  process.exit(stopping ? 0 : 1);
}

try {
  await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exit(error instanceof ConfigError ? EXIT_REFUSED : 1);
}
