import fs from 'node:fs';
import path from 'node:path';
import { ConfigError, type LarderConfig, loadConfig } from '#config';
import { coordinatorKeys, type TrustRing } from '#contexts/trust/gate';
import { standaloneNatsUrl, standaloneSecretKeys, standaloneSigningKeys } from './standalone-cluster.js';

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
  /** The coordinators' keys; undefined where nothing says which. */
  readonly ring: TrustRing | undefined;
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
  const ring = coordinatorRing(options, env);
  return { natsUrl, cluster: config.cluster, replicas: config.natsReplicas, ring };
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
  const dataDir = dataDirOf(options, env);
  if (dataDir === undefined) return undefined;
  return loadConfig({ LARDER_SECRET_KEYS: standaloneSecretKeys(dataDir) }).secretKeys;
}

/**
 * The keys that coordinators sign the log with: LARDER_SIGNING_KEYS and LARDER_VERIFY_KEYS, else what is derived from
 * LARDER_SECRET_KEYS, else those of the cluster of `npm start`, as `signingKeys` finds it; undefined where nothing says.
 */
export function coordinatorRing(
  options: ClusterOptions & { readonly in?: string },
  env: NodeJS.ProcessEnv = process.env,
): TrustRing | undefined {
  const { secretKeys, signingKeys: own, verifyKeys } = configWith(options, env);
  if (secretKeys || own || verifyKeys)
    return coordinatorKeys({ secretKeys: secretKeys ?? [], signingKeys: own, verifyKeys });
  const dataDir = dataDirOf(options, env);
  if (dataDir === undefined) return undefined;
  const keys = standaloneSigningKeys(dataDir);
  return coordinatorKeys({ secretKeys: loadConfig({ LARDER_SIGNING_KEYS: keys }).signingKeys! });
}

/** The cluster of `npm start` whose log it is, or that `--data-dir` names. */
function dataDirOf(options: ClusterOptions & { readonly in?: string }, env: NodeJS.ProcessEnv): string | undefined {
  const config = configWith(options, env);
  const isElsewhere = options.in !== undefined || config.natsUrl !== undefined;
  return options.dataDir ?? (isElsewhere ? undefined : existing(config.dataDir));
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
