import type { Environment, LarderConfig } from '#config';
import type { DataDirectory } from './data-directory.js';

/** What all children need to know of the cluster. */
export interface ClusterEnvironment {
  /** The environment standalone was started with: settings that are not its own are passed on. */
  readonly given: Environment;
  /** For each kind of process its own user; the same where somebody else's NATS is used. */
  readonly natsUrls: Readonly<Record<'coordinator' | 'worker', string>>;
  readonly secretKeys: string;
  /** For coordinators. */
  readonly signingKeys: string;
  /** Their public halves, for workers. */
  readonly verifyKeys: string;
  /** Copies of the log where the environment does not say. */
  readonly natsReplicas: number;
}

/** Of standalone alone, or meaning something else to a process that is one of several. */
const notPassedOn = [
  'LARDER_COORDINATORS',
  'LARDER_WORKERS',
  'LARDER_WORKER_ADVERTISE',
  'LARDER_NATS_SERVER_BIN',
  'LARDER_NATS_SERVERS',
  'LARDER_BALANCER_PORT',
  // For coordinators alone.
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
    // All of them stop at once: there is nobody whom a balancer could turn to.
    LARDER_DRAIN_MS: '0',
    // It comes from this machine, and says where a request came from.
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
