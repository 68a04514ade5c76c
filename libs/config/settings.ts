import type { Parser } from './parsers.js';
import * as p from './parsers.js';

/** Which process reads a setting. `all`: coordinator, worker and standalone. */
export type SettingUser = 'all' | 'coordinator' | 'worker' | 'standalone';

export interface Setting<T = unknown, Default extends string | undefined = string | undefined> {
  readonly env: `LARDER_${string}`;
  readonly usedBy: readonly SettingUser[];
  readonly parser: Parser<T>;
  /** As it is written in the environment; undefined: the setting may be absent. */
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

/** All settings. `docs/configuration.md` is generated from this table. */
export const settings = {
  host: setting('LARDER_HOST', ['coordinator', 'standalone'], p.host(), '127.0.0.1', 'address the REST API listens on'),
  port: setting(
    'LARDER_PORT',
    ['coordinator', 'standalone'],
    p.port(),
    '19999',
    'port of the REST API; more coordinators of a standalone cluster take the next ports',
  ),
  drainMs: setting(
    'LARDER_DRAIN_MS',
    'coordinator',
    p.milliseconds(0, 8_000),
    '2000',
    'how long a coordinator still listens after SIGTERM, so that balancers notice; a standalone cluster uses 0',
  ),
  dataDir: setting('LARDER_DATA_DIR', 'standalone', p.directory(), '.larder', 'directory of all stored data'),
  coordinators: setting('LARDER_COORDINATORS', 'standalone', p.integer(1, 16), '1', 'number of coordinators to start'),
  workers: setting('LARDER_WORKERS', 'standalone', p.integer(0, 64), '2', 'number of workers to start'),
  natsUrl: setting(
    'LARDER_NATS_URL',
    'all',
    p.natsUrl(),
    undefined,
    'NATS servers to use, all of them, separated by commas: `nats://[user:password@]host:port`; standalone starts its own if unset',
    { secret: true },
  ),
  natsServers: setting(
    'LARDER_NATS_SERVERS',
    'standalone',
    p.oneOf(1, 3, 5),
    '1',
    'number of nats-servers to start, each with a copy of the log; more than one needs nats-server 2.10.23 or later',
  ),
  balancerPort: setting(
    'LARDER_BALANCER_PORT',
    'standalone',
    p.port(),
    undefined,
    'port of a round-robin balancer before the coordinators; unset: no balancer',
  ),
  natsServerBin: setting(
    'LARDER_NATS_SERVER_BIN',
    'standalone',
    p.text(/^[^\0]+$/, 'the path of a nats-server binary'),
    undefined,
    'path of the nats-server to start; unset: the newest one found',
  ),
  cluster: setting(
    'LARDER_CLUSTER',
    'all',
    p.text(/^[a-z0-9-]{1,32}$/, '1 to 32 of a-z, 0-9 and `-`'),
    'larder',
    'name of the cluster and prefix of all its names in NATS; two clusters can share a NATS',
  ),
  natsReplicas: setting(
    'LARDER_NATS_REPLICAS',
    'coordinator',
    p.oneOf(1, 3, 5),
    '1',
    'copies of the log in NATS; a standalone cluster keeps one on each of its nats-servers',
  ),
  secretKeys: setting(
    'LARDER_SECRET_KEYS',
    'all',
    p.keyRing(),
    undefined,
    'keys for secret mount options, `<keyId>:<base64 of 32 bytes>,…`; the first encrypts; standalone makes its own',
    { secret: true },
  ),
  signingKeys: setting(
    'LARDER_SIGNING_KEYS',
    'coordinator',
    p.keyRing(),
    undefined,
    'keys with which coordinators sign the log, `<keyId>:<base64 of 32 bytes>,…`; the first signs, signatures of all are accepted; unset: derived from LARDER_SECRET_KEYS, which workers have too',
    { secret: true },
  ),
  verifyKeys: setting(
    'LARDER_VERIFY_KEYS',
    'all',
    p.keyRing(),
    undefined,
    'public keys of coordinators whose signatures are accepted, `<keyId>:<base64 of 32 bytes>,…`, as `larder keys public` prints them; for workers if coordinators have LARDER_SIGNING_KEYS, and for retired keys',
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
    'balancers whose `X-Forwarded-For` is trusted, as addresses or CIDR ranges separated by commas; the log then records the client that they name as the source of a request',
  ),
  hostnames: setting(
    'LARDER_HOSTNAMES',
    ['coordinator', 'worker'],
    p.hostNames(),
    undefined,
    'names by which clients reach these processes, separated by commas; a request with another `Host` is refused; on loopback `localhost` and its addresses are always accepted, elsewhere any name while this is unset',
  ),
  bodyLimitBytes: setting(
    'LARDER_BODY_LIMIT_BYTES',
    'coordinator',
    p.bytes(1024, 786_432),
    '786432',
    'largest request body; the events of one command must fit into one NATS message',
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
    'directory of the cache and of the worker’s identity; unset: `<LARDER_DATA_DIR>/worker`',
  ),
  unmountedKeepMs: setting(
    'LARDER_UNMOUNTED_KEEP_MS',
    'worker',
    p.millisecondsOrNever(0, 366 * 86_400_000),
    '604800000',
    'how long copies stay after the last mount that covered them was removed; `never`: until they are evicted or freed',
  ),
  workerHost: setting('LARDER_WORKER_HOST', 'worker', p.host(), '127.0.0.1', 'address the worker listens on'),
  workerPort: setting(
    'LARDER_WORKER_PORT',
    'worker',
    p.port(),
    '29999',
    'port from which a worker serves reads; 0: any free port, as in a standalone cluster',
  ),
  workerAdvertise: setting(
    'LARDER_WORKER_ADVERTISE',
    'worker',
    p.hostAndPort(),
    undefined,
    'address by which other hosts reach the worker; unset: its host and port',
  ),
  workerBatches: setting('LARDER_WORKER_BATCHES', 'worker', p.integer(1, 256), '8', 'batches a worker runs at once'),
  workerTransfers: setting(
    'LARDER_WORKER_TRANSFERS',
    'worker',
    p.integer(1, 4096),
    '512',
    'most files a worker fetches at once; fewer where a store serves fewer as well',
  ),
  batchSize: setting(
    'LARDER_BATCH_SIZE',
    'coordinator',
    p.integer(1, 10_000),
    '200',
    'files per batch, if the job does not set another number; a long job uses up to five times as many later on',
  ),
  batchWindow: setting(
    'LARDER_BATCH_WINDOW',
    'coordinator',
    p.integer(1, 10_000),
    '64',
    'batches planned ahead per worker, for all jobs of a coordinator together; enough to keep it busy through a NATS election',
  ),
  maxAttempts: setting(
    'LARDER_MAX_ATTEMPTS',
    ['coordinator', 'worker'],
    p.integer(1, 100),
    '5',
    'attempts at each file',
  ),
  retryBaseMs: setting(
    'LARDER_RETRY_BASE_MS',
    ['coordinator', 'worker'],
    p.milliseconds(1, 60_000),
    '200',
    'pause before the second attempt at a file, and before the next request to a store that fails; doubles each time',
  ),
  retryMaxMs: setting(
    'LARDER_RETRY_MAX_MS',
    ['coordinator', 'worker'],
    p.milliseconds(1, 600_000),
    '10000',
    'longest such pause; a longer `Retry-After` of a store is respected',
  ),
  ufsIdleTimeoutMs: setting(
    'LARDER_UFS_IDLE_TIMEOUT_MS',
    'all',
    p.milliseconds(100, 3_600_000),
    '30000',
    'how long a read waits for an object store that sends nothing, before it is given up',
  ),
  ufsConnectTimeoutMs: setting(
    'LARDER_UFS_CONNECT_TIMEOUT_MS',
    'all',
    p.milliseconds(100, 600_000),
    '10000',
    'longest time to connect to an object store',
  ),
  ufsConnections: setting(
    'LARDER_UFS_CONNECTIONS',
    'all',
    p.integer(1, 4096),
    '512',
    'most connections of each process to each object store',
  ),
  ufsOutageMs: setting(
    'LARDER_UFS_OUTAGE_MS',
    ['coordinator', 'worker'],
    p.milliseconds(0, 604_800_000),
    '600000',
    'how long jobs wait for an object store that is away or asks to slow down, before their files fail',
  ),
  readWaitMs: setting(
    'LARDER_READ_WAIT_MS',
    'worker',
    p.milliseconds(0, 600_000),
    '5000',
    'how long a read of a file that is not cached waits for a store that fails; then it is answered 503 with `Retry-After`',
  ),
  mountCheckMs: setting(
    'LARDER_MOUNT_CHECK_MS',
    'coordinator',
    p.milliseconds(0, 10_000),
    '2000',
    'how long POST /mount waits for an object store to say whether the bucket exists; 0: no check',
  ),
  heartbeatMs: setting('LARDER_HEARTBEAT_MS', 'worker', p.milliseconds(50, 60_000), '1000', 'pause between heartbeats'),
  workerTimeoutMs: setting(
    'LARDER_WORKER_TIMEOUT_MS',
    'coordinator',
    p.milliseconds(100, 3_600_000),
    '5000',
    'time without a heartbeat after which a worker is OFFLINE; must be longer than LARDER_HEARTBEAT_MS',
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
    'time without a heartbeat after which another coordinator takes over a coordinator’s jobs',
  ),
  logGraceMs: setting(
    'LARDER_LOG_GRACE_MS',
    ['coordinator', 'worker'],
    p.milliseconds(100, 600_000),
    '10000',
    'how long a process waits for a log that ends too early, as its server may still be recovering',
  ),
  snapshotEvery: setting(
    'LARDER_SNAPSHOT_EVERY',
    'coordinator',
    p.integer(1, 100_000_000),
    '10000',
    'number of log messages between two snapshots of the views',
  ),
  checkpointEvery: setting(
    'LARDER_CHECKPOINT_EVERY',
    'coordinator',
    p.integer(1, 10_000),
    '1000',
    'number of log messages between two signed checkpoints of the log',
  ),
  checkpointMs: setting(
    'LARDER_CHECKPOINT_MS',
    'coordinator',
    p.milliseconds(100, 86_400_000),
    '60000',
    'longest time until a checkpoint covers a message of the log',
  ),
  finishedJobs: setting(
    'LARDER_FINISHED_JOBS',
    'coordinator',
    p.integer(0, 1_000_000),
    '1000',
    'number of finished jobs kept in memory; older ones are read from the log on request',
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
    'longest time that a request with `sync` waits while no worker is up',
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
    'file with a fixed mount table, `[{ "path", "ufs", "options" }]`; the API then cannot change mounts',
  ),
  logMark: setting(
    'LARDER_LOG_MARK',
    'coordinator',
    p.text(/^[^\0]+$/, 'the path of a file'),
    undefined,
    'file in which a coordinator stores how far it has seen the log; use one for each coordinator, on another disk than NATS; `npm start` has its own',
  ),
  acceptLog: setting(
    'LARDER_ACCEPT_LOG',
    'coordinator',
    p.logMark(),
    undefined,
    'the one loss of the log to accept: the log’s id and how far it had been seen, as the refusal names them; see docs/safe-start.md',
  ),
  logLevel: setting(
    'LARDER_LOG_LEVEL',
    'all',
    p.oneOf('trace', 'debug', 'info', 'warn', 'error'),
    'info',
    'lowest level of the log lines that are written',
  ),
} as const;

/** Set by the standalone supervisor for its children, not by users; see `exitWithSupervisor`. */
export const SUPERVISED = 'LARDER_SUPERVISED';
/** Variables with this prefix are read by tests only. */
export const TEST_PREFIX = 'LARDER_TEST_';
