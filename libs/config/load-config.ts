import path from 'node:path';
import { inspect } from 'node:util';
import { nearestName } from '#kernel';
import { ConfigError } from './config-error.js';
import { type Setting, settings, SUPERVISED, TEST_PREFIX } from './settings.js';

type Settings = typeof settings;
type Value<S> = S extends Setting<infer T, infer Default> ? (Default extends string ? T : T | undefined) : never;

/** All settings by name; frozen. Printing it (as JSON, too) shows secrets as `******`. */
export type LarderConfig = Readonly<{ [Name in keyof Settings]: Value<Settings[Name]> } & { cacheDir: string }>;

/** Settings that a coordinator or a worker requires. */
export type ProcessConfig = LarderConfig &
  Required<Pick<LarderConfig, 'natsUrl' | 'secretKeys'>> & {
    readonly natsUrl: string;
    readonly secretKeys: NonNullable<LarderConfig['secretKeys']>;
  };

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads and validates the configuration. An empty variable counts as unset.
 * @param process a coordinator or a worker also requires LARDER_NATS_URL and LARDER_SECRET_KEYS; standalone creates
 *   both
 * @throws ConfigError with one sentence for each wrong, missing or unknown `LARDER_*` variable
 */
export function loadConfig(env: Environment): LarderConfig;
export function loadConfig(env: Environment, process: 'coordinator' | 'worker'): ProcessConfig;
export function loadConfig(env: Environment, process?: 'coordinator' | 'worker'): LarderConfig {
  const problems = unknownVariables(env);
  const values: Record<string, unknown> = {};
  for (const [name, setting] of Object.entries<Setting>(settings)) {
    const text = env[setting.env] || setting.default;
    if (text === undefined) continue;
    const parsed = setting.parser.schema.safeParse(text);
    if (parsed.success) values[name] = parsed.data;
    else problems.push(`${setting.env} ${shown(setting, text)}: expected ${setting.parser.expected}.`);
  }
  if (process) problems.push(...missing(values, process));
  if (problems.length === 0) problems.push(...contradictions(values as unknown as LarderConfig));
  if (problems.length > 0) throw new ConfigError(problems);

  const dataDir = absolute(settings.dataDir.env, values.dataDir as string);
  const cacheDir = (values.cacheDir as string | undefined) ?? path.join(dataDir, 'worker');
  values.dataDir = dataDir;
  values.cacheDir = absolute(settings.cacheDir.env, cacheDir);
  return Object.freeze(Object.defineProperties(values, printing)) as unknown as LarderConfig;
}

/** @throws ConfigError for a relative path in a process whose working directory was removed */
function absolute(env: string, directory: string): string {
  try {
    return path.resolve(directory);
  } catch {
    throw new ConfigError([
      `${env} is ${JSON.stringify(directory)}: the directory that this process was started in is gone; name it from the root on.`,
    ]);
  }
}

function shown(setting: Setting, text: string): string {
  return setting.secret ? 'is not understood (its value is secret and not shown)' : `is ${JSON.stringify(text)}`;
}

function missing(values: Record<string, unknown>, process: string): string[] {
  return [settings.natsUrl, settings.secretKeys]
    .filter((setting) => !(nameOf(setting) in values))
    .map((setting) => `${setting.env} is not set: a ${process} needs ${setting.parser.expected}.`);
}

function nameOf(setting: Setting): string {
  return Object.entries<Setting>(settings).find(([, other]) => other.env === setting.env)![0];
}

function contradictions(config: LarderConfig): string[] {
  const problems: string[] = [];
  const { heartbeatMs, workerTimeoutMs, retryBaseMs, retryMaxMs, port, coordinators } = config;
  if (workerTimeoutMs <= heartbeatMs) {
    problems.push(
      `LARDER_WORKER_TIMEOUT_MS is ${workerTimeoutMs}: expected more than LARDER_HEARTBEAT_MS, which is ${heartbeatMs}.`,
    );
  }
  if (retryMaxMs < retryBaseMs) {
    problems.push(
      `LARDER_RETRY_MAX_MS is ${retryMaxMs}: expected at least LARDER_RETRY_BASE_MS, which is ${retryBaseMs}.`,
    );
  }
  if (config.natsUrl === undefined && config.natsReplicas > config.natsServers) {
    problems.push(
      `LARDER_NATS_REPLICAS is ${config.natsReplicas}: expected at most LARDER_NATS_SERVERS, which is ${config.natsServers}.`,
    );
  }
  const { balancerPort = 0 } = config;
  if (balancerPort !== 0 && port !== 0 && balancerPort >= port && balancerPort < port + coordinators) {
    problems.push(`LARDER_BALANCER_PORT is ${balancerPort}: expected a port that is not a coordinator's.`);
  }
  if (port + coordinators - 1 > 65535) {
    problems.push(`LARDER_PORT is ${port}: expected room for the ports of ${coordinators} coordinators below 65536.`);
  }
  return problems;
}

/** A name with at most so many wrong letters is taken for a misspelt setting. */
const mostSlips = 2;

/** A misspelt variable would otherwise be ignored without a word. */
function unknownVariables(env: Environment): string[] {
  const known = new Set<string>([...Object.values<Setting>(settings).map((setting) => setting.env), SUPERVISED]);
  return Object.keys(env)
    .filter((name) => name.startsWith('LARDER_') && !known.has(name) && !name.startsWith(TEST_PREFIX))
    .map((name) => {
      const nearest = nearestName(name, known);
      const isSlip = nearest !== undefined && nearest.distance <= mostSlips;
      return `${name} is not a setting${isSlip ? `: did you mean ${nearest.name}?` : '; docs/configuration.md lists them.'}`;
    });
}

function masked(config: object): Record<string, unknown> {
  const secret = (name: string) => settings[name as keyof Settings].secret === true;
  return Object.fromEntries(Object.entries(config).map(([name, value]) => [name, secret(name) ? '******' : value]));
}

const printing: PropertyDescriptorMap = {
  toJSON: {
    value(this: object) {
      return masked(this);
    },
  },
  [inspect.custom]: {
    value(this: object) {
      return masked(this);
    },
  },
};
