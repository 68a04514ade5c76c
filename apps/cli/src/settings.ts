import fs from 'node:fs';
import path from 'node:path';
import { ConfigError, type LarderConfig, loadConfig } from '#config';
import { coordinatorKeys, type TrustRing } from '#contexts/trust/gate';
import { standaloneNatsUrl, standaloneSecretKeys, standaloneSigningKeys } from './standalone-cluster.js';

/** The options of all commands that use NATS. */
export interface ClusterOptions {
  readonly nats?: string;
  readonly cluster?: string;
  readonly dataDir?: string;
}

export interface ClusterSettings {
  /** Contains credentials: never print it. */
  readonly natsUrl: string;
  readonly cluster: string;
  readonly replicas: number;
  /** The coordinators' keys; undefined when nothing names them. */
  readonly ring: TrustRing | undefined;
}

/**
 * The NATS to use, and the cluster in it. The first of these that is given decides: `--nats`, `--data-dir`,
 * LARDER_NATS_URL, the cluster of `npm start` in the default data directory.
 *
 * @throws ConfigError when none of them is given
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
 * The keys that signed a log's checkpoints: LARDER_SECRET_KEYS, otherwise those of the cluster of `npm start` that
 * `--data-dir` names or that the log belongs to; undefined when nothing names them. All these clusters give their key
 * the same id. So the key of another cluster must not be used for a backup.
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
 * The keys that coordinators sign the log with: LARDER_SIGNING_KEYS and LARDER_VERIFY_KEYS, otherwise those derived
 * from LARDER_SECRET_KEYS, otherwise those of the cluster of `npm start`, as in `signingKeys`; undefined without any.
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

/** Data directory of the cluster of `npm start` that `--data-dir` names or that the log belongs to. */
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
