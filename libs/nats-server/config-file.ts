import { accountsBlock, type NatsAccount, text } from './accounts.js';
import { compareVersions } from './find.js';

/** This server's place in a cluster of servers. */
export interface NatsClusterOptions {
  /** The same on all servers of the cluster. */
  readonly name: string;
  /** Unique in the cluster, and the same after restarts: JetStream knows a peer by it. */
  readonly serverName: string;
  /** Port for the other servers. */
  readonly port: number;
  /** `nats-route://host:port` of all servers of the cluster; this server's own may be included. */
  readonly routes: readonly string[];
  /** `host:port` where other servers can reach this one. Default: where it listens. */
  readonly advertise?: string;
  /** Whether clients do not learn of the other servers, and know only those of their own settings. Default false. */
  readonly noAdvertise?: boolean;
  /** Password that a server needs to join. Undefined: any server may join. */
  readonly password?: string;
}

export interface NatsServerOptions {
  /** Path of the nats-server executable. */
  readonly binary: string;
  /** Directory for JetStream's data, the generated configuration and the log. Created if it does not exist. */
  readonly storeDir: string;
  /** Default `127.0.0.1`. */
  readonly host?: string;
  /** Port for clients. 0 or undefined: any free one. */
  readonly port?: number;
  /** Token of clients, if there are no users. With neither token nor users, anyone may connect and do everything. */
  readonly token?: string;
  /** Users and permissions. The first user of the first account is used to check whether the server is ready. */
  readonly accounts?: readonly NatsAccount[];
  /** Name of the user for clients without credentials. Undefined: every client needs a password. */
  readonly nobody?: string;
  /**
   * Flush to disk before acknowledging, so that a power loss loses nothing acknowledged. Needs a server of at least
   * 2.10. An older one refuses to start on the unknown field, so it is left out there (and the server flushes once a
   * minute).
   */
  readonly syncAlways?: boolean;
  readonly cluster?: NatsClusterOptions;
  /** Where the server's output goes. Default `<storeDir>/nats-server.log`. */
  readonly logFile?: string;
  /** Largest message, bytes. Default: the server's own (1 MiB). */
  readonly maxPayloadBytes?: number;
  /** How long it may take until JetStream answers. Default 30 s: the server first reads a large store back. */
  readonly startTimeoutMs?: number;
  /** When it is aborted during the start, the server is stopped and the start rejects. */
  readonly signal?: AbortSignal;
  /** Called with the process id before the server is ready. */
  readonly onSpawn?: (pid: number) => void;
}

/** User name that servers of one cluster use between themselves. */
const routeUser = 'route';

/**
 * The server's configuration file. It has only fields that every server since 2.9 knows, and newer ones only if
 * `version` knows them: a server refuses to start on an unknown field.
 */
export function natsConfigFile(options: NatsServerOptions, version: string, portsFileDir: string): string {
  const syncAlways = options.syncAlways === true && compareVersions(version, '2.10.0') >= 0;
  const lines = [
    `host: ${text(options.host ?? '127.0.0.1')}`,
    `port: ${options.port || -1}`,
    `ports_file_dir: ${text(portsFileDir)}`,
    `jetstream {`,
    `  store_dir: ${text(options.storeDir)}`,
    ...(syncAlways ? ['  sync_interval: always'] : []),
    `}`,
  ];
  if (options.maxPayloadBytes !== undefined) lines.push(`max_payload: ${options.maxPayloadBytes}`);
  if (options.accounts !== undefined) lines.push(accountsBlock(options.accounts));
  if (options.nobody !== undefined) lines.push(`no_auth_user: ${text(options.nobody)}`);
  if (options.token !== undefined) lines.push(`authorization { token: ${text(options.token)} }`);
  if (options.cluster !== undefined) {
    const { name, serverName, port, password, advertise, noAdvertise } = options.cluster;
    const routes = options.cluster.routes.map((route) => withPassword(route, password));
    lines.push(
      `server_name: ${text(serverName)}`,
      `cluster {`,
      `  name: ${text(name)}`,
      `  listen: ${text(`${options.host ?? '127.0.0.1'}:${port}`)}`,
      ...(password === undefined ? [] : [`  authorization { user: ${text(routeUser)}, password: ${text(password)} }`]),
      `  routes: [${routes.map(text).join(', ')}]`,
      ...(advertise === undefined ? [] : [`  advertise: ${text(advertise)}`]),
      ...(noAdvertise === true ? ['  no_advertise: true'] : []),
      `}`,
    );
  }
  return lines.join('\n') + '\n';
}

function withPassword(route: string, password: string | undefined): string {
  return password === undefined ? route : route.replace('://', `://${routeUser}:${encodeURIComponent(password)}@`);
}
