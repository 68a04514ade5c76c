import path from 'node:path';
import { abortable, aborted } from '#async';
import { directoryFault, type Environment, failedWithin, keyRingText, type LarderConfig, loadConfig } from '#config';
import { inboxPrefixOf, meetingProbe, Names, natsUser, type Role } from '#jetstream';
import { TrustRing } from '#contexts/trust/gate';
import { untilServersMeet } from '#nats-server';
import { EXIT_REFUSED, PidFiles } from '#process';
import { type ClusterEnvironment, coordinatorEnvironment, workerEnvironment } from './child-environment.js';
import { type DataDirectory, openDataDirectory } from './data-directory.js';
import { lockDirectory } from './directory-lock.js';
import { BALANCER_OPTIONS, type BalancerOptions } from './balancer.js';
import { natsPlaces } from './nats-layout.js';
import { natsUrlFor, natsWalls } from './nats-walls.js';
import { type NatsProcess, natsProcesses, type NatsReady } from './nats-process.js';
import { restPorts, type RestPorts } from './ports.js';
import { untilReady } from './readiness.js';
import { RollingRestart } from './rolling-restart.js';
import { loadSecrets, type Secrets } from './secrets.js';
import { type StopStage, Supervisor } from './supervisor.js';
import { welcome } from './welcome.js';

export interface StandaloneOptions {
  readonly env: Environment;
  /** Root of the project. */
  readonly root: string;
  /** The script of each kind of process. */
  readonly scripts: Readonly<Record<'natsHost' | 'coordinator' | 'worker' | 'balancer', string>>;
  /** Reports the roles whose code changes while the cluster runs. Their processes are restarted. */
  readonly changes?: CodeChanges;
  /** When aborted, all processes are stopped, and the run ends. */
  readonly stop: AbortSignal;
  /** When aborted, all processes are killed, and the run ends. */
  readonly kill: AbortSignal;
  /** Writes a line to the console. */
  readonly say: (line: string) => void;
}

export type CodeChanges = (changed: (roles: readonly ('coordinator' | 'worker')[]) => void) => void;

interface Cluster {
  readonly options: StandaloneOptions;
  readonly config: LarderConfig;
  readonly directory: DataDirectory;
  readonly pidFiles: PidFiles;
  readonly supervisor: Supervisor;
  readonly ports: RestPorts;
  readonly secrets: Secrets;
  /** The cluster's own nats-servers; none when LARDER_NATS_URL names another NATS. */
  readonly nats: readonly NatsProcess[];
}

/** How long a process whose code has changed may take to stop: as long as in a stop of the whole cluster. */
const restartDeadlineMs = 3200;

const sharedAccount =
  'The log of an earlier version keeps workers in one NATS account with it; docs/operations.md says what that means and how to move it.';

/**
 * Runs a whole cluster on this machine until `stop` is aborted.
 * @returns the exit code: 0 after a requested stop
 * @throws Refusal when the present settings or files do not allow a start
 */
export async function runStandalone(options: StandaloneOptions): Promise<number> {
  const config = loadConfig(options.env);
  try {
    return await runIn(openDataDirectory(config.dataDir), config, options);
  } catch (error) {
    // A part of the data directory is damaged, or belongs to another user.
    throw failedWithin(config.dataDir, error) ? directoryFault('LARDER_DATA_DIR', config.dataDir, error) : error;
  }
}

async function runIn(directory: DataDirectory, config: LarderConfig, options: StandaloneOptions): Promise<number> {
  const unlock = lockDirectory(directory.root);
  try {
    const pidFiles = new PidFiles(directory.run);
    const left = await pidFiles.killLeftovers();
    if (left.length > 0) options.say(`Ended what an earlier start had left behind: ${left.join(', ')}.`);
    const ports = await restPorts(config.host, config.port, config.coordinators, config.balancerPort);
    const places = config.natsUrl === undefined ? await natsPlaces(directory.nats, config.natsServers) : [];
    const secrets = loadSecrets(directory.secrets);
    const { root, scripts } = options;
    const { accounts, isolated } = natsWalls(places, config.cluster, secrets);
    if (!isolated) options.say(sharedAccount);
    const nats = natsProcesses({ script: scripts.natsHost, root, directory, secrets, accounts, pidFiles, places });
    const supervisor = new Supervisor({ pidFiles, logsDir: directory.logs, say: options.say });
    return await superviseCluster({ options, config, directory, pidFiles, supervisor, ports, secrets, nats });
  } finally {
    unlock();
  }
}

async function superviseCluster(cluster: Cluster): Promise<number> {
  const { options, supervisor, pidFiles } = cluster;
  options.kill.addEventListener('abort', () => supervisor.killAll(), { once: true });
  const end = new AbortController();
  const signal = AbortSignal.any([options.stop, end.signal]);
  const stopped = aborted(options.stop).then(() => undefined);
  const startedUp = bringUp(cluster, signal);
  restartWhatChanges(cluster, signal);
  const problem = await Promise.race([stopped, supervisor.givenUp, failure(startedUp, signal)]);
  end.abort();
  options.say(problem ?? 'Stopping ...');
  await supervisor.stop(stopStages(cluster));
  // The host of a nats-server stops it. Only a host that had to be killed leaves it running.
  for (const { pidName } of cluster.nats) await pidFiles.killLeftover(pidName);
  return problem === undefined ? 0 : EXIT_REFUSED;
}

/** Resolves only when `work` fails for another reason than the abort. */
function failure(work: Promise<void>, signal: AbortSignal): Promise<string> {
  return new Promise((resolve) => {
    work.catch((error: unknown) => {
      if (!signal.aborted) resolve(error instanceof Error ? error.message : String(error));
    });
  });
}

/** Starts the processes in their order and prints the welcome when all are ready. */
async function bringUp(cluster: Cluster, signal: AbortSignal): Promise<void> {
  const { options, config, directory, supervisor, ports, secrets } = cluster;
  const natsServers = await startNats(cluster, signal);
  const natsUrlOf = (role: Role) => config.natsUrl ?? natsUrlFor(role, config.cluster, secrets, natsServers);
  startNodes(cluster, {
    given: options.env,
    natsUrls: { coordinator: natsUrlOf('coordinator'), worker: natsUrlOf('worker') },
    secretKeys: options.env.LARDER_SECRET_KEYS || secrets.secretKeys,
    ...trustKeys(config, secrets),
    natsReplicas: config.natsUrl === undefined ? config.natsServers : config.natsReplicas,
  });
  const coordinators = coordinatorUrls(config, ports);
  const balancer = ports.balancer === undefined ? undefined : urlOf(config, ports.balancer);
  if (ports.balancer !== undefined) {
    startBalancerProcess(cluster, { host: config.host, port: ports.balancer, targets: coordinators });
  }
  options.say(`Waiting for ${config.coordinators} coordinator(s) and ${config.workers} worker(s) ...`);
  const workers = await untilReady([...coordinators, ...(balancer ? [balancer] : [])], config.workers, signal);
  supervisor.markReady();
  const sampleDir = path.join(options.root, 'docs');
  options.say(welcome({ balancer, coordinators, workers, natsServers, dataDir: directory.root, sampleDir }));
}

function restartWhatChanges({ options, config, supervisor, ports }: Cluster, signal: AbortSignal): void {
  const urls = coordinatorUrls(config, ports);
  const restarts = new RollingRestart({
    restart: (name) => supervisor.restart(name, restartDeadlineMs),
    untilReady: async (name, until) => {
      const own = coordinatorNames(config).indexOf(name);
      await (own >= 0 ? untilReady([urls[own]], 0, until) : untilReady(urls, config.workers, until));
    },
    say: options.say,
    signal,
  });
  const namesOf = { coordinator: coordinatorNames(config), worker: workerNames(config) };
  options.changes?.((roles) => restarts.request(roles.flatMap((role) => namesOf[role])));
}

/** The keys that coordinators sign the log with, and the public keys by which workers verify them. */
function trustKeys(config: LarderConfig, secrets: Secrets): { signingKeys: string; verifyKeys: string } {
  const keys = config.signingKeys ?? loadConfig({ LARDER_SIGNING_KEYS: secrets.signingKeys }).signingKeys!;
  return {
    signingKeys: keyRingText(keys),
    verifyKeys: keyRingText(new TrustRing(keys, config.verifyKeys).verifyKeys()),
  };
}

/** Starts all servers at once, because each one answers only when most of them are up. */
async function startNats(cluster: Cluster, signal: AbortSignal): Promise<NatsReady[]> {
  const { options, config, supervisor, pidFiles, secrets, nats } = cluster;
  for (const { spec } of nats) supervisor.start(spec);
  const ready = await abortable(Promise.all(nats.map((one) => one.ready)), signal);
  if (ready.length > 1) {
    // The host ends when its server ends, and the supervisor starts both again.
    const restart = async (index: number) => void (await pidFiles.killLeftover(nats[index].pidName));
    const urls = natsUrlFor('coordinator', config.cluster, secrets, ready).split(',');
    const inboxPrefix = inboxPrefixOf(natsUser(new Names(config.cluster), 'coordinator'));
    await untilServersMeet({ urls, inboxPrefix, probe: meetingProbe, restart, say: options.say, signal });
  }
  for (const [index, { version, port }] of ready.entries()) {
    options.say(
      `nats-server ${version} is up on port ${port}${ready.length > 1 ? ` (${nats[index].spec.name})` : ''}.`,
    );
  }
  return ready;
}

function startNodes({ options, config, directory, supervisor, ports }: Cluster, environment: ClusterEnvironment): void {
  const { root: marker } = directory;
  const mendable = options.changes !== undefined;
  for (const name of coordinatorNames(config)) {
    const ownEnv = { LARDER_LOG_MARK: directory.logMark(numberOf(name)) };
    const env = { ...coordinatorEnvironment(environment, ports.coordinators[numberOf(name) - 1]), ...ownEnv };
    supervisor.start({ name, script: options.scripts.coordinator, marker, mendable, env: () => env });
  }
  for (const name of workerNames(config)) {
    const env = workerEnvironment(environment, config, directory, numberOf(name));
    supervisor.start({ name, script: options.scripts.worker, marker, mendable, env: () => env });
  }
}

function startBalancerProcess({ options, directory, supervisor }: Cluster, balancer: BalancerOptions): void {
  const env = { ...options.env, [BALANCER_OPTIONS]: JSON.stringify(balancer) };
  supervisor.start({ name: 'balancer', script: options.scripts.balancer, marker: directory.root, env: () => env });
}

/** Workers stop first, so that their reports still arrive; the log stops last. All stages take at most 5 seconds. */
function stopStages({ config, nats }: Cluster): StopStage[] {
  return [
    { names: ['balancer', ...workerNames(config)], deadlineMs: 2000 },
    { names: coordinatorNames(config), deadlineMs: 3200 },
    { names: nats.map(({ spec }) => spec.name), deadlineMs: 4000 },
  ];
}

const numbered = (kind: string, count: number) => Array.from({ length: count }, (_, index) => `${kind}-${index + 1}`);
const coordinatorNames = ({ coordinators }: LarderConfig) => numbered('coordinator', coordinators);
const workerNames = ({ workers }: LarderConfig) => numbered('worker', workers);
const urlOf = ({ host }: LarderConfig, port: number) => `http://${reachableHost(host)}:${port}`;
const coordinatorUrls = (config: LarderConfig, { coordinators }: RestPorts) =>
  coordinators.map((port) => urlOf(config, port));
const numberOf = (name: string) => Number(name.slice(name.lastIndexOf('-') + 1));

/** A server that listens on all addresses is reached on loopback. IPv6 addresses are written in brackets. */
function reachableHost(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  if (host === '::') return '[::1]';
  return host.includes(':') ? `[${host}]` : host;
}
