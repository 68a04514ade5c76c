import fs from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { ConfigError } from '#config';
import { natsAdmin } from '#jetstream';

const secretsSchema = z.object({
  natsPasswords: z.object({ admin: z.string() }).optional(),
  secretKeys: z.string(),
  signingKeys: z.string().optional(),
});
const pidSchema = z.object({ pid: z.number() });
const portsSchema = z.object({ nats: z.array(z.string()).min(1) });

/** Suffixes of the names of one nats-server, or of three or five. */
const servers = ['', '-1', '-2', '-3', '-4', '-5'];

/**
 * Addresses of the nats-servers of the cluster that `npm start` or `npm run cluster` runs in a data directory, with the
 * name and password of the admin. The servers have written their ports to files.
 *
 * @throws ConfigError when there is no such cluster, or it is not running
 */
export function standaloneNatsUrl(dataDir: string): string {
  const root = path.resolve(dataDir);
  const { natsPasswords } = secretsOf(root);
  const running = servers.flatMap((suffix) => addressOf(root, suffix) ?? []);
  // Without a password, the directory is that of an earlier version, and so is the cluster that runs in it.
  if (running.length === 0 || !natsPasswords) {
    throw new ConfigError([`--data-dir: the cluster of ${root} does not run: start it with npm start.`]);
  }
  const credentials = `${natsAdmin}:${encodeURIComponent(natsPasswords.admin)}`;
  return running.map((address) => `nats://${credentials}@${address}`).join(',');
}

function addressOf(root: string, suffix: string): string | undefined {
  const process = read(path.join(root, 'run', `nats-server${suffix}.pid`), pidSchema);
  const store = suffix === '' ? 'nats' : path.join('nats', `server${suffix}`);
  const ports = process && read(path.join(root, store, 'run', `nats-server_${process.pid}.ports`), portsSchema);
  return ports && new URL(ports.nats[0]).host;
}

/** The cluster's key ring, in the form of LARDER_SECRET_KEYS. The cluster need not be running. @throws ConfigError */
export function standaloneSecretKeys(dataDir: string): string {
  return secretsOf(path.resolve(dataDir)).secretKeys;
}

/** The signing keys of its coordinators, in the form of LARDER_SIGNING_KEYS. @throws ConfigError */
export function standaloneSigningKeys(dataDir: string): string {
  const { signingKeys, secretKeys } = secretsOf(path.resolve(dataDir));
  return signingKeys ?? secretKeys;
}

function secretsOf(root: string): z.infer<typeof secretsSchema> {
  const secrets = read(path.join(root, 'secrets.json'), secretsSchema);
  if (!secrets) throw new ConfigError([`--data-dir: ${root} is not the data directory of a cluster.`]);
  return secrets;
}

function read<T>(file: string, schema: z.ZodType<T>): T | undefined {
  try {
    return schema.parse(JSON.parse(fs.readFileSync(file, 'utf8')));
  } catch {
    // The file is missing or damaged. The caller decides what that means.
    return undefined;
  }
}
