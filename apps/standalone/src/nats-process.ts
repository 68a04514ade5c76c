import fs from 'node:fs';
import path from 'node:path';
import type { NatsAccount } from '#nats-server';
import type { PidFiles } from '#process';
import type { DataDirectory } from './data-directory.js';
import type { NatsPlace } from './nats-layout.js';
import type { Secrets } from './secrets.js';
import type { ProcessSpec } from './supervised-process.js';

/** The environment variable with the options of `nats-host`. Not its command line, because all users can read that. */
export const NATS_HOST_OPTIONS = 'NATS_HOST_OPTIONS';

export interface NatsHostOptions {
  /** Root of the project. Its .cache may hold a nats-server. */
  readonly root: string;
  readonly storeDir: string;
  readonly port: number;
  /** The accounts, with passwords. */
  readonly accounts: readonly NatsAccount[];
  readonly logFile: string;
  /** The number of servers. */
  readonly servers: number;
  /** This server's place among several. */
  readonly cluster?: { readonly serverName: string; readonly port: number; readonly routes: readonly string[] };
  readonly routePassword: string;
}

/** Messages of `nats-host` to the supervisor: first the pid of its nats-server, then all fields when that answers. */
export interface NatsSpawned {
  readonly pid: number;
}

export interface NatsReady extends NatsSpawned {
  readonly port: number;
  readonly version: string;
}

export interface NatsProcess {
  readonly spec: ProcessSpec;
  /** Resolves when the server is ready for the first time. */
  readonly ready: Promise<NatsReady>;
  /** Name of the pid file of the nats-server itself. Its host has another one. */
  readonly pidName: string;
}

/** How to run this cluster's own nats-servers. They restart on the same ports, because clients reconnect to those. */
export function natsProcesses(options: {
  script: string;
  root: string;
  directory: DataDirectory;
  secrets: Secrets;
  accounts: readonly NatsAccount[];
  pidFiles: PidFiles;
  places: readonly NatsPlace[];
}): NatsProcess[] {
  const { script, root, directory, secrets, accounts, pidFiles, places } = options;
  const routes = places.map(({ routePort }) => `nats-route://127.0.0.1:${routePort}`);
  return places.map(({ name, storeDir, port, routePort }) => {
    fs.mkdirSync(storeDir, { recursive: true, mode: 0o700 });
    const hostOptions: NatsHostOptions = {
      root,
      storeDir,
      port,
      accounts,
      logFile: path.join(directory.logs, `${natsServerName(name)}.log`),
      servers: places.length,
      ...(places.length > 1 ? { cluster: { serverName: name, port: routePort, routes } } : {}),
      routePassword: secrets.routePassword,
    };
    const env = { ...process.env, [NATS_HOST_OPTIONS]: JSON.stringify(hostOptions) };
    return natsProcess({ name, script, storeDir, env, pidFiles });
  });
}

/** Name of the server itself, in pid files and logs: `nats-server`, `nats-server-1`. */
const natsServerName = (name: string) => name.replace('nats', 'nats-server');

function natsProcess(options: {
  name: string;
  script: string;
  storeDir: string;
  env: NodeJS.ProcessEnv;
  pidFiles: PidFiles;
}): NatsProcess {
  const { name, script, storeDir, env, pidFiles } = options;
  const pidName = natsServerName(name);
  let announce: (ready: NatsReady) => void;
  const ready = new Promise<NatsReady>((resolve) => (announce = resolve));
  const spec: ProcessSpec = {
    name,
    script,
    marker: storeDir,
    env: () => env,
    onMessage: (message) => {
      const answer = message as NatsSpawned | NatsReady;
      // The server's command line names its configuration file, and that is in the store directory.
      pidFiles.record(pidName, answer.pid, storeDir);
      if ('port' in answer) announce(answer);
    },
    beforeRestart: async () => {
      await pidFiles.killLeftover(pidName);
    },
  };
  return { spec, ready, pidName };
}
