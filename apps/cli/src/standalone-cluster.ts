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

/** One nats-server, or three or five. */
const servers = ['', '-1', '-2', '-3', '-4', '-5'];

/**
 * Addresses, with name and password of the admin, of the nats-servers of the cluster that `npm start` or `npm run
 * cluster` runs in a data directory. The ports lie in the files that the servers have written.
 *
 * @throws ConfigError when there is no such cluster, or it does not run
 */
export function standaloneNatsUrl(dataDir: string): string {
  const root = path.resolve(dataDir);
  const { natsPasswords } = secretsOf(root);
  const running = servers.flatMap((suffix) => addressOf(root, suffix) ?? []);
  // A password that is not there yet: the directory is an earlier version's, and so is what runs in it.
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

/** The cluster's key ring, in the form of LARDER_SECRET_KEYS; it need not run. @throws ConfigError */
export function standaloneSecretKeys(dataDir: string): string {
  return secretsOf(path.resolve(dataDir)).secretKeys;
}

/** What its coordinators sign with, in the form of LARDER_SIGNING_KEYS. @throws ConfigError */
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
    // Not there, or not what it should be: the caller says what that means.
    return undefined;
  }
}
