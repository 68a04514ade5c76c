import fs from 'node:fs';
import path from 'node:path';
import { ConfigError, type LarderConfig, loadConfig } from '#config';
import { standaloneNatsUrl, standaloneSecretKeys } from './standalone-cluster.js';

/** What every command that speaks to NATS takes. */
export interface ClusterOptions {
  readonly nats?: string;
  readonly cluster?: string;
  readonly dataDir?: string;
}

export interface ClusterSettings {
  /** Holds credentials: not for output. */
  readonly natsUrl: string;
  readonly cluster: string;
  readonly replicas: number;
}

/**
 * Which NATS and which cluster in it: `--nats`, else `--data-dir`, else LARDER_NATS_URL, else the cluster of `npm start`
 * in the usual data directory.
 *
 * @throws ConfigError when none of them says
 */
export function clusterSettings(options: ClusterOptions, env: NodeJS.ProcessEnv = process.env): ClusterSettings {
  const config = configWith(options, env);
  const dataDir = options.dataDir ?? (config.natsUrl === undefined ? existing(config.dataDir) : undefined);
  const natsUrl = options.nats === undefined && dataDir !== undefined ? standaloneNatsUrl(dataDir) : config.natsUrl;
  if (natsUrl === undefined) {
    throw new ConfigError([
      'Which NATS is not said: give --nats nats://host:port, or --data-dir <directory of npm start>, or set LARDER_NATS_URL.',
    ]);
  }
  return { natsUrl, cluster: config.cluster, replicas: config.natsReplicas };
}

/**
 * The keys that signed a log's checkpoints: LARDER_SECRET_KEYS, else those of the cluster of `npm start` that `--data-dir`
 * names or whose log it is; undefined where nothing says which. Every such cluster calls its key alike, so another's must
 * not be taken for the one of a backup.
 */
export function signingKeys(
  options: ClusterOptions & { readonly in?: string },
  env: NodeJS.ProcessEnv = process.env,
): LarderConfig['secretKeys'] {
  const config = configWith(options, env);
  if (config.secretKeys) return config.secretKeys;
  const isElsewhere = options.in !== undefined || config.natsUrl !== undefined;
  const dataDir = options.dataDir ?? (isElsewhere ? undefined : existing(config.dataDir));
  if (dataDir === undefined) return undefined;
  return loadConfig({ LARDER_SECRET_KEYS: standaloneSecretKeys(dataDir) }).secretKeys;
}

function configWith({ nats, cluster }: ClusterOptions, env: NodeJS.ProcessEnv): LarderConfig {
  return loadConfig({
    ...env,
    ...(nats === undefined ? {} : { LARDER_NATS_URL: nats }),
    ...(cluster === undefined ? {} : { LARDER_CLUSTER: cluster }),
  });
}

function existing(dataDir: string): string | undefined {
  return fs.existsSync(path.join(dataDir, 'secrets.json')) ? dataDir : undefined;
}
