import { once } from 'node:events';
import path from 'node:path';
import { EXIT_REFUSED, type Environment, type LarderConfig, loadConfig } from '#config';
import { type ClusterEnvironment, coordinatorEnvironment, workerEnvironment } from './child-environment.js';
import { type DataDirectory, openDataDirectory } from './data-directory.js';
import { lockDirectory } from './directory-lock.js';
import { natsProcess } from './nats-process.js';
import { PidFiles } from './pid-files.js';
import { coordinatorPorts } from './ports.js';
import { untilReady } from './readiness.js';
import { loadSecrets } from './secrets.js';
import { type StopStage, Supervisor } from './supervisor.js';
import { welcome } from './welcome.js';

export interface StandaloneOptions {
  readonly env: Environment;
  /** Of the project. */
  readonly root: string;
  /** What the processes run. */
  readonly scripts: Readonly<Record<'natsHost' | 'coordinator' | 'worker', string>>;
  /** Aborted: stop everything and end. */
  readonly stop: AbortSignal;
  /** Aborted: kill everything and end. */
  readonly kill: AbortSignal;
  /** Writes a line to the console. */
  readonly say: (line: string) => void;
}

interface Cluster {
  readonly options: StandaloneOptions;
  readonly config: LarderConfig;
  readonly directory: DataDirectory;
  readonly pidFiles: PidFiles;
  readonly supervisor: Supervisor;
  /** The coordinators' ports. */
  readonly ports: readonly number[];
}

/**
 * Runs a whole cluster on this machine until it is told to stop.
 * @returns the exit code: 0 after a stop that was asked for
 * @throws ConfigError, StartRefused when it cannot be started as things stand
 */
export async function runStandalone(options: StandaloneOptions): Promise<number> {
  const config = loadConfig(options.env);
  const directory = openDataDirectory(config.dataDir);
  const unlock = lockDirectory(directory.root);
  try {
    const pidFiles = new PidFiles(directory.run);
    const left = await pidFiles.killLeftovers();
    if (left.length > 0) options.say(`Ended what an earlier start had left behind: ${left.join(', ')}.`);
    const ports = await coordinatorPorts(config.host, config.port, config.coordinators);
    const supervisor = new Supervisor({ pidFiles, logsDir: directory.logs, say: options.say });
    return await superviseCluster({ options, config, directory, pidFiles, supervisor, ports });
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
  const problem = await Promise.race([stopped, supervisor.givenUp, failure(startedUp, signal)]);
  end.abort();
  options.say(problem ?? 'Stopping ...');
  await supervisor.stop(stopStages(cluster.config));
  // Ended by its host, which was told to; only a host that had to be killed leaves it running.
  await pidFiles.killLeftover('nats-server');
  return problem === undefined ? 0 : EXIT_REFUSED;
}

/** Settles only when `work` fails for another reason than that it was called off. */
function failure(work: Promise<void>, signal: AbortSignal): Promise<string> {
  return new Promise((resolve) => {
    work.catch((error: unknown) => {
      if (!signal.aborted) resolve(error instanceof Error ? error.message : String(error));
    });
  });
}

/** Starts the processes in their order and prints the welcome when all are ready. */
async function bringUp(cluster: Cluster, signal: AbortSignal): Promise<void> {
  const { options, config, directory, pidFiles, supervisor, ports } = cluster;
  const secrets = loadSecrets(directory.secrets);
  let { natsUrl } = config;
  if (natsUrl === undefined) {
    const { root, scripts } = options;
    const nats = natsProcess({ script: scripts.natsHost, root, directory, token: secrets.natsToken, pidFiles });
    supervisor.start(nats.spec);
    const ready = await abortable(nats.ready, signal);
    natsUrl = ready.url;
    options.say(`nats-server ${ready.version} is up on port ${ready.port}.`);
  }
  const secretKeys = options.env.LARDER_SECRET_KEYS || secrets.secretKeys;
  startNodes({ given: options.env, natsUrl, secretKeys }, { options, config, directory, supervisor, ports });

  const urls = ports.map((port) => `http://${reachableHost(config.host)}:${port}`);
  options.say(`Waiting for ${config.coordinators} coordinator(s) and ${config.workers} worker(s) ...`);
  const workers = await untilReady(urls, config.workers, signal);
  supervisor.markReady();
  const sampleDir = path.join(options.root, 'docs');
  options.say(welcome({ coordinators: urls, workers, dataDir: directory.root, sampleDir }));
}

function startNodes(
  environment: ClusterEnvironment,
  { options, config, directory, supervisor, ports }: Omit<Cluster, 'pidFiles'>,
): void {
  for (const name of coordinatorNames(config)) {
    const ownEnv = { LARDER_LOG_MARK: directory.logMark(numberOf(name)) };
    const env = { ...coordinatorEnvironment(environment, ports[numberOf(name) - 1]), ...ownEnv };
    supervisor.start({ name, script: options.scripts.coordinator, marker: directory.root, env: () => env });
  }
  for (const name of workerNames(config)) {
    const env = workerEnvironment(environment, config, directory, numberOf(name));
    supervisor.start({ name, script: options.scripts.worker, marker: directory.root, env: () => env });
  }
}

/** Workers first, so that what they report still arrives; the log last. All of it within five seconds. */
function stopStages(config: LarderConfig): StopStage[] {
  return [
    { names: workerNames(config), deadlineMs: 2000 },
    { names: coordinatorNames(config), deadlineMs: 3200 },
    { names: ['nats'], deadlineMs: 4000 },
  ];
}

const numbered = (kind: string, count: number) => Array.from({ length: count }, (_, index) => `${kind}-${index + 1}`);
const coordinatorNames = ({ coordinators }: LarderConfig) => numbered('coordinator', coordinators);
const workerNames = ({ workers }: LarderConfig) => numbered('worker', workers);
const numberOf = (name: string) => Number(name.slice(name.lastIndexOf('-') + 1));

/** What listens on all addresses is reached on loopback; IPv6 addresses stand in brackets. */
function reachableHost(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  if (host === '::') return '[::1]';
  return host.includes(':') ? `[${host}]` : host;
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort');
}

async function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const abort = aborted(signal).then(() => Promise.reject(new Error('stopped')));
  return Promise.race([promise, abort]);
}
