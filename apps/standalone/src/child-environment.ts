import type { Environment, LarderConfig } from '#config';
import type { DataDirectory } from './data-directory.js';

/** What the child processes need to know about the cluster. */
export interface ClusterEnvironment {
  /** The environment that standalone was started with. Settings that are not its own are passed on. */
  readonly given: Environment;
  /** NATS with the user of each kind of process. With a NATS that is not the cluster's own, both are the same. */
  readonly natsUrls: Readonly<Record<'coordinator' | 'worker', string>>;
  readonly secretKeys: string;
  /** Only for coordinators. */
  readonly signingKeys: string;
  /** The public halves of these keys, for workers. */
  readonly verifyKeys: string;
  /** Copies of the log, unless the environment sets the number. */
  readonly natsReplicas: number;
}

/** Settings of standalone itself, or with another meaning for one process of several. */
const notPassedOn = [
  'LARDER_COORDINATORS',
  'LARDER_WORKERS',
  'LARDER_WORKER_ADVERTISE',
  'LARDER_NATS_SERVER_BIN',
  'LARDER_NATS_SERVERS',
  'LARDER_BALANCER_PORT',
  // Only for coordinators.
  'LARDER_SIGNING_KEYS',
];

function shared(
  { given, natsUrls, secretKeys }: ClusterEnvironment,
  role: 'coordinator' | 'worker',
): Record<string, string | undefined> {
  const passedOn = Object.entries(given).filter(([name]) => !notPassedOn.includes(name));
  return { ...Object.fromEntries(passedOn), LARDER_NATS_URL: natsUrls[role], LARDER_SECRET_KEYS: secretKeys };
}

export function coordinatorEnvironment(cluster: ClusterEnvironment, port: number): Record<string, string | undefined> {
  const replicas = cluster.given.LARDER_NATS_REPLICAS || String(cluster.natsReplicas);
  return {
    // All coordinators stop at once, so a balancer has no other one to use.
    LARDER_DRAIN_MS: '0',
    // The balancer connects from this machine and names the client in a header.
    ...(cluster.given.LARDER_BALANCER_PORT ? { LARDER_TRUSTED_PROXIES: '127.0.0.1,::1' } : {}),
    ...shared(cluster, 'coordinator'),
    LARDER_SIGNING_KEYS: cluster.signingKeys,
    LARDER_PORT: String(port),
    LARDER_NATS_REPLICAS: replicas,
  };
}

/** @param number from 1. Workers take free ports, or LARDER_WORKER_PORT and those after it when it was set. */
export function workerEnvironment(
  cluster: ClusterEnvironment,
  config: Pick<LarderConfig, 'workerPort'>,
  directory: DataDirectory,
  number: number,
): Record<string, string | undefined> {
  const port = cluster.given.LARDER_WORKER_PORT && config.workerPort !== 0 ? config.workerPort + number - 1 : 0;
  return {
    ...shared(cluster, 'worker'),
    LARDER_VERIFY_KEYS: cluster.verifyKeys,
    LARDER_CACHE_DIR: directory.worker(number),
    LARDER_WORKER_PORT: String(port),
  };
}
