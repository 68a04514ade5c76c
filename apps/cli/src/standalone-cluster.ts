import fs from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { ConfigError } from '#config';

export interface StandaloneCluster {
  /** Of the nats-server that runs now; holds its token. */
  readonly natsUrl: string;
  /** In the form of LARDER_SECRET_KEYS. */
  readonly secretKeys: string;
}

const secretsSchema = z.object({ natsToken: z.string(), secretKeys: z.string() });
const pidSchema = z.object({ pid: z.number() });
const portsSchema = z.object({ nats: z.array(z.string()).min(1) });

/**
 * The cluster that `npm start` runs in a data directory: the token lies in its secrets, the port in the file that its
 * nats-server has written.
 *
 * @throws ConfigError when nothing runs there
 */
export function standaloneCluster(dataDir: string): StandaloneCluster {
  const root = path.resolve(dataDir);
  const secrets = read(path.join(root, 'secrets.json'), secretsSchema);
  const process = read(path.join(root, 'run', 'nats-server.pid'), pidSchema);
  const ports = process && read(path.join(root, 'nats', 'run', `nats-server_${process.pid}.ports`), portsSchema);
  if (!secrets) throw new ConfigError([`--data-dir: ${root} is not the data directory of a cluster.`]);
  if (!ports) throw new ConfigError([`--data-dir: the cluster of ${root} does not run: start it with npm start.`]);
  const { host } = new URL(ports.nats[0]);
  return { natsUrl: `nats://${encodeURIComponent(secrets.natsToken)}@${host}`, secretKeys: secrets.secretKeys };
}

function read<T>(file: string, schema: z.ZodType<T>): T | undefined {
  try {
    return schema.parse(JSON.parse(fs.readFileSync(file, 'utf8')));
  } catch {
    // Not there, or not what it should be: the caller says what that means.
    return undefined;
  }
}
