import type { Parser } from './parsers.js';
import * as p from './parsers.js';

/** Which process reads a setting. `all`: coordinator, worker and standalone. */
export type SettingUser = 'all' | 'coordinator' | 'worker' | 'standalone';

export interface Setting<T = unknown, Default extends string | undefined = string | undefined> {
  readonly env: `LARDER_${string}`;
  readonly usedBy: readonly SettingUser[];
  readonly parser: Parser<T>;
  /** As it would be written in the environment; undefined: unset means absent. */
  readonly default: Default;
  /** One line for people, without a full stop. */
  readonly description: string;
  /** Never shown: neither in errors nor when the configuration is printed. */
  readonly secret?: boolean;
}

function setting<T, const Default extends string | undefined>(
  env: `LARDER_${string}`,
  usedBy: readonly SettingUser[] | SettingUser,
  parser: Parser<T>,
  defaultText: Default,
  description: string,
  options: { secret?: boolean } = {},
): Setting<T, Default> {
  return { env, usedBy: [usedBy].flat(), parser, default: defaultText, description, ...options };
}

/** Every setting there is. `docs/configuration.md` is generated from this table. */
export const settings = {
  host: setting('LARDER_HOST', ['coordinator', 'standalone'], p.host(), '127.0.0.1', 'address the REST API listens on'),
  port: setting(
    'LARDER_PORT',
    ['coordinator', 'standalone'],
    p.port(),
    '19999',
    'port of the REST API; further coordinators of a standalone cluster take the following ports',
  ),
  drainMs: setting(
    'LARDER_DRAIN_MS',
    'coordinator',
    p.milliseconds(0, 8_000),
    '2000',
    'time between SIGTERM and the end of listening, for balancers to notice; a standalone cluster takes 0',
  ),
  dataDir: setting('LARDER_DATA_DIR', 'standalone', p.directory(), '.larder', 'directory of everything that is kept'),
  coordinators: setting('LARDER_COORDINATORS', 'standalone', p.integer(1, 16), '1', 'coordinators to start'),
  workers: setting('LARDER_WORKERS', 'standalone', p.integer(0, 64), '2', 'workers to start'),
  natsUrl: setting(
    'LARDER_NATS_URL',
    'all',
    p.natsUrl(),
    undefined,
    'NATS to use, `nats://[user:password@]host:port`: all of its servers, apart by commas; standalone starts its own when unset',
    { secret: true },
  ),
  natsServers: setting(
    'LARDER_NATS_SERVERS',
    'standalone',
    p.oneOf(1, 3, 5),
    '1',
    'nats-servers to start, each with a copy of the log; more than one need nats-server 2.10.23 or later',
  ),
  balancerPort: setting(
    'LARDER_BALANCER_PORT',
    'standalone',
    p.port(),
    undefined,
    'port of a round-robin balancer before the coordinators; unset: none',
  ),
  natsServerBin: setting(
    'LARDER_NATS_SERVER_BIN',
    'standalone',
    p.text(/^[^\0]+$/, 'the path of a nats-server binary'),
    undefined,
    'nats-server binary to start instead of the newest one found',
  ),
  cluster: setting(
    'LARDER_CLUSTER',
    'all',
    p.text(/^[a-z0-9-]{1,32}$/, '1 to 32 of a-z, 0-9 and `-`'),
    'larder',
    'name of the cluster, the prefix of everything in NATS; two clusters can share a NATS',
  ),
  natsReplicas: setting(
    'LARDER_NATS_REPLICAS',
    'coordinator',
    p.oneOf(1, 3, 5),
    '1',
    'copies of the log in NATS; in a standalone cluster one on each of its nats-servers',
  ),
  secretKeys: setting(
    'LARDER_SECRET_KEYS',
    'all',
    p.keyRing(),
    undefined,
    'key ring for secret mount options, `<keyId>:<base64 of 32 bytes>,…`; the first encrypts; standalone makes its own',
    { secret: true },
  ),
  signingKeys: setting(
    'LARDER_SIGNING_KEYS',
    'coordinator',
    p.keyRing(),
    undefined,
    'keys that coordinators sign the log with, `<keyId>:<base64 of 32 bytes>,…`; the first signs, all are believed; unset: derived from LARDER_SECRET_KEYS, which workers have too',
    { secret: true },
  ),
  verifyKeys: setting(
    'LARDER_VERIFY_KEYS',
    'all',
    p.keyRing(),
    undefined,
    'public keys of coordinators that are believed, `<keyId>:<base64 of 32 bytes>,…`, as `larder keys public` prints them; for workers, where LARDER_SIGNING_KEYS is set, and for retired keys',
  ),
  revealSecrets: setting(
    'LARDER_REVEAL_SECRETS',
    'coordinator',
    p.flag(),
    'false',
    'whether GET /mount shows secret option values instead of `******`',
  ),
  trustedProxies: setting(
    'LARDER_TRUSTED_PROXIES',
    'coordinator',
    p.addressRanges(),
    undefined,
    'balancers whose `X-Forwarded-For` is believed, addresses or CIDR ranges apart by commas: recorded as a request’s source is then the client they name',
  ),
  hostnames: setting(
    'LARDER_HOSTNAMES',
    ['coordinator', 'worker'],
    p.hostNames(),
    undefined,
    'names by which clients reach these processes, apart by commas: a request for another one (`Host`) is refused; on loopback `localhost` and its addresses always hold, and elsewhere any name while this is unset',
  ),
  bodyLimitBytes: setting(
    'LARDER_BODY_LIMIT_BYTES',
    'coordinator',
    p.bytes(1024, 786_432),
    '786432',
    'largest request body; what one command decides must fit into one NATS message',
  ),
  cacheBytes: setting(
    'LARDER_CACHE_BYTES',
    'worker',
    p.bytes(2 ** 20),
    '10GiB',
    'cache capacity of each worker; at most the size of its file system',
  ),
  cacheDir: setting(
    'LARDER_CACHE_DIR',
    'worker',
    p.directory(),
    undefined,
    'directory of the cache and of the worker’s identity; default `<LARDER_DATA_DIR>/worker`',
  ),
  unmountedKeepMs: setting(
    'LARDER_UNMOUNTED_KEEP_MS',
    'worker',
    p.millisecondsOrNever(0, 366 * 86_400_000),
    '604800000',
    'how long copies stay that no mount covers, from when the last one went that did; or `never`: until they are evicted or freed',
  ),
  workerHost: setting('LARDER_WORKER_HOST', 'worker', p.host(), '127.0.0.1', 'address the worker listens on'),
  workerPort: setting(
    'LARDER_WORKER_PORT',
    'worker',
    p.port(),
    '29999',
    'port of the worker’s read path; 0 takes a free one, as every worker of a standalone cluster does',
  ),
  workerAdvertise: setting(
    'LARDER_WORKER_ADVERTISE',
    'worker',
    p.hostAndPort(),
    undefined,
    'address by which other hosts reach the worker; default: its host and port',
  ),
  workerBatches: setting('LARDER_WORKER_BATCHES', 'worker', p.integer(1, 256), '4', 'batches a worker does at once'),
  workerTransfers: setting(
    'LARDER_WORKER_TRANSFERS',
    'worker',
    p.integer(1, 4096),
    '32',
    'files a worker fetches at once',
  ),
  batchSize: setting(
    'LARDER_BATCH_SIZE',
    'coordinator',
    p.integer(1, 10_000),
    '200',
    'files per batch where a job does not say otherwise',
  ),
  batchWindow: setting(
    'LARDER_BATCH_WINDOW',
    'coordinator',
    p.integer(1, 10_000),
    '64',
    'batches planned ahead per worker, enough to keep it busy through a NATS election',
  ),
  maxAttempts: setting('LARDER_MAX_ATTEMPTS', ['coordinator', 'worker'], p.integer(1, 100), '5', 'attempts per file'),
  retryBaseMs: setting(
    'LARDER_RETRY_BASE_MS',
    ['coordinator', 'worker'],
    p.milliseconds(1, 60_000),
    '200',
    'pause before the second attempt at a file, and before a store that fails is asked again; doubles each further time',
  ),
  retryMaxMs: setting(
    'LARDER_RETRY_MAX_MS',
    ['coordinator', 'worker'],
    p.milliseconds(1, 600_000),
    '10000',
    'longest such pause; what a store asks for (`Retry-After`) is kept, however long',
  ),
  ufsIdleTimeoutMs: setting(
    'LARDER_UFS_IDLE_TIMEOUT_MS',
    'all',
    p.milliseconds(100, 3_600_000),
    '30000',
    'silence of an object store after which a read is given up',
  ),
  ufsConnectTimeoutMs: setting(
    'LARDER_UFS_CONNECT_TIMEOUT_MS',
    'all',
    p.milliseconds(100, 600_000),
    '10000',
    'time to connect to an object store',
  ),
  ufsConnections: setting(
    'LARDER_UFS_CONNECTIONS',
    'all',
    p.integer(1, 4096),
    '64',
    'connections to each object store and process',
  ),
  ufsOutageMs: setting(
    'LARDER_UFS_OUTAGE_MS',
    ['coordinator', 'worker'],
    p.milliseconds(0, 604_800_000),
    '600000',
    'longest outage of an object store, or time it asks to slow down, that jobs sit out before files fail',
  ),
  readWaitMs: setting(
    'LARDER_READ_WAIT_MS',
    'worker',
    p.milliseconds(0, 600_000),
    '5000',
    'how long a read of what is not cached waits for a store that fails; then it is answered 503 with `Retry-After`',
  ),
  mountCheckMs: setting(
    'LARDER_MOUNT_CHECK_MS',
    'coordinator',
    p.milliseconds(0, 10_000),
    '2000',
    'how long POST /mount waits for an object store to say whether the bucket is there; 0: it is not asked',
  ),
  heartbeatMs: setting('LARDER_HEARTBEAT_MS', 'worker', p.milliseconds(50, 60_000), '1000', 'pause between heartbeats'),
  workerTimeoutMs: setting(
    'LARDER_WORKER_TIMEOUT_MS',
    'coordinator',
    p.milliseconds(100, 3_600_000),
    '5000',
    'silence after which a worker is OFFLINE; must be longer than the heartbeat',
  ),
  workerGraceMs: setting(
    'LARDER_WORKER_GRACE_MS',
    'coordinator',
    p.milliseconds(0, 86_400_000),
    '10000',
    'time OFFLINE after which a worker’s batches move to others',
  ),
  ownerTimeoutMs: setting(
    'LARDER_OWNER_TIMEOUT_MS',
    'coordinator',
    p.milliseconds(100, 600_000),
    '750',
    'silence of a coordinator after which another takes its jobs over',
  ),
  logGraceMs: setting(
    'LARDER_LOG_GRACE_MS',
    ['coordinator', 'worker'],
    p.milliseconds(100, 600_000),
    '10000',
    'how long a log that ends before what was seen of it is taken for one whose server is still recovering',
  ),
  snapshotEvery: setting(
    'LARDER_SNAPSHOT_EVERY',
    'coordinator',
    p.integer(1, 100_000_000),
    '10000',
    'log messages between two snapshots of the views',
  ),
  checkpointEvery: setting(
    'LARDER_CHECKPOINT_EVERY',
    'coordinator',
    p.integer(1, 10_000),
    '1000',
    'log messages between two signed checkpoints of the log',
  ),
  checkpointMs: setting(
    'LARDER_CHECKPOINT_MS',
    'coordinator',
    p.milliseconds(100, 86_400_000),
    '60000',
    'longest time that a message of the log waits for a checkpoint',
  ),
  finishedJobs: setting(
    'LARDER_FINISHED_JOBS',
    'coordinator',
    p.integer(0, 1_000_000),
    '1000',
    'finished jobs kept in memory; older ones are read from the log when asked for',
  ),
  syncMs: setting(
    'LARDER_SYNC_MS',
    'coordinator',
    p.milliseconds(0, 86_400_000),
    '3600000',
    'longest time that a request with `sync` waits for its job; its answer is then the progress so far',
  ),
  syncNoWorkerMs: setting(
    'LARDER_SYNC_NO_WORKER_MS',
    'coordinator',
    p.milliseconds(0, 86_400_000),
    '30000',
    'the same while no worker is up',
  ),
  quota: setting('LARDER_QUOTA', ['coordinator', 'worker'], p.flag(), 'true', 'whether quotas are served and enforced'),
  ttl: setting(
    'LARDER_TTL',
    ['coordinator', 'worker'],
    p.flag(),
    'true',
    'whether times to live are served and enforced',
  ),
  priority: setting(
    'LARDER_PRIORITY',
    ['coordinator', 'worker'],
    p.flag(),
    'true',
    'whether eviction priorities are served and enforced',
  ),
  fileIndex: setting(
    'LARDER_FILE_INDEX',
    ['coordinator', 'worker'],
    p.flag(),
    'true',
    'whether the global file index is kept and served',
  ),
  mountTable: setting(
    'LARDER_MOUNT_TABLE',
    'coordinator',
    p.text(/^[^\0]+$/, 'the path of a JSON file'),
    undefined,
    'file with a fixed mount table, `[{ "path", "ufs", "options" }]`; mounts cannot be changed through the API then',
  ),
  logMark: setting(
    'LARDER_LOG_MARK',
    'coordinator',
    p.text(/^[^\0]+$/, 'the path of a file'),
    undefined,
    'file in which a coordinator keeps how far it has seen the log, on a disk other than NATS’; one for each coordinator, and `npm start` has its own',
  ),
  acceptLog: setting(
    'LARDER_ACCEPT_LOG',
    'coordinator',
    p.logMark(),
    undefined,
    'the one loss that is given up: the log that lost something and how far it had been seen, as the refusal says them; see docs/safe-start.md',
  ),
  logLevel: setting(
    'LARDER_LOG_LEVEL',
    'all',
    p.oneOf('trace', 'debug', 'info', 'warn', 'error'),
    'info',
    'least severe log lines that are written',
  ),
} as const;

/** Set by the standalone supervisor for its children, not by people; see `exitWithSupervisor`. */
export const SUPERVISED = 'LARDER_SUPERVISED';
/** What is read by the tests only. */
export const TEST_PREFIX = 'LARDER_TEST_';
