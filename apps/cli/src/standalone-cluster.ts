import fs from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { ConfigError } from '#config';

const secretsSchema = z.object({ natsToken: z.string(), secretKeys: z.string() });
const pidSchema = z.object({ pid: z.number() });
const portsSchema = z.object({ nats: z.array(z.string()).min(1) });

/**
 * Address, with its token, of the nats-server of the cluster that `npm start` runs in a data directory. The port lies in
 * the file that the server has written.
 *
 * @throws ConfigError when there is no such cluster, or it does not run
 */
export function standaloneNatsUrl(dataDir: string): string {
  const root = path.resolve(dataDir);
  const { natsToken } = secretsOf(root);
  const process = read(path.join(root, 'run', 'nats-server.pid'), pidSchema);
  const ports = process && read(path.join(root, 'nats', 'run', `nats-server_${process.pid}.ports`), portsSchema);
  if (!ports) throw new ConfigError([`--data-dir: the cluster of ${root} does not run: start it with npm start.`]);
  return `nats://${encodeURIComponent(natsToken)}@${new URL(ports.nats[0]).host}`;
}

/** The cluster's key ring, in the form of LARDER_SECRET_KEYS; it need not run. @throws ConfigError */
export function standaloneSecretKeys(dataDir: string): string {
  return secretsOf(path.resolve(dataDir)).secretKeys;
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
