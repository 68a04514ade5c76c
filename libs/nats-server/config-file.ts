import { accountsBlock, type NatsAccount, text } from './accounts.js';
import { compareVersions } from './find.js';

/** This server's place in a cluster of servers. */
export interface NatsClusterOptions {
  /** The same on all servers of the cluster. */
  readonly name: string;
  /** Unique in the cluster, and kept over restarts: JetStream knows a peer by it. */
  readonly serverName: string;
  /** Port for the other servers. */
  readonly port: number;
  /** `nats-route://host:port` of all servers of the cluster; its own may be among them. */
  readonly routes: readonly string[];
  /** `host:port` that other servers are told to find this one at. Default: where it listens. */
  readonly advertise?: string;
  /** Clients are not told of the other servers: they know those of their own settings only. Default false. */
  readonly noAdvertise?: boolean;
  /** What a server must know to join. None: any server may. */
  readonly password?: string;
}

export interface NatsServerOptions {
  /** Path of the nats-server executable. */
  readonly binary: string;
  /** Directory for JetStream's data, the generated configuration and the log. Made if it is not there. */
  readonly storeDir: string;
  /** Default `127.0.0.1`. */
  readonly host?: string;
  /** Port for clients. 0 or none: any free one. */
  readonly port?: number;
  /** What clients must present, where there are no users. Neither: anybody may connect and do everything. */
  readonly token?: string;
  /** Who may connect, and do what. As the first user of the first account the server is asked whether it is ready. */
  readonly accounts?: readonly NatsAccount[];
  /** Name of the user that whoever presents nothing is taken for. None: nobody is let in without a password. */
  readonly nobody?: string;
  /**
   * Flush to disk before acknowledging, so that a power loss costs nothing acknowledged. Needs a server of at least
   * 2.10; an older one refuses to start on the unknown field, so there it is left out (and it flushes once a minute).
   */
  readonly syncAlways?: boolean;
  readonly cluster?: NatsClusterOptions;
  /** Where the server's output goes. Default `<storeDir>/nats-server.log`. */
  readonly logFile?: string;
  /** Largest message, bytes. Default: the server's own (1 MiB). */
  readonly maxPayloadBytes?: number;
  /** How long the server may take until JetStream answers. Default 30 s: a large store is read back first. */
  readonly startTimeoutMs?: number;
  /** Aborted while it starts: the server is ended, and the start rejects. */
  readonly signal?: AbortSignal;
  /** Told the process's id before it is ready. */
  readonly onSpawn?: (pid: number) => void;
}

/** Servers of one cluster present themselves to one another under this name. */
const routeUser = 'route';

/**
 * The server's configuration file. Only fields that every server since 2.9 knows, unless the version says otherwise:
 * a server refuses to start on a field that it does not know.
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
