import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import { z } from 'zod';
import { StartRefused } from './start-refused.js';

const schema = z.object({
  /** What clients of this cluster's own nats-server present. */
  natsToken: z.string().min(1),
  /** What its nats-servers present to one another. */
  routePassword: z.string().min(1),
  /** In the form of LARDER_SECRET_KEYS. Lost keys make the stored secrets of mounts unreadable. */
  secretKeys: z.string().min(1),
});

/** Files of earlier versions lack it. */
const stored = schema.partial({ routePassword: true });

export type Secrets = z.infer<typeof schema>;

/** The data directory's secrets: those in `file`, or new ones, which are written there (readable by the owner only). */
export function loadSecrets(file: string): Secrets {
  if (fs.existsSync(file)) {
    const parsed = stored.safeParse(parseJson(fs.readFileSync(file, 'utf8')));
    // Never replaced by new ones: what the old keys sealed could not be opened again.
    if (!parsed.success) throw new StartRefused(`${file} is damaged: restore it from a backup.`);
    const { routePassword } = parsed.data;
    return routePassword
      ? { ...parsed.data, routePassword }
      : write(file, { ...parsed.data, routePassword: newToken() });
  }
  const secretKeys = `standalone-1:${randomBytes(32).toString('base64')}`;
  return write(file, { natsToken: newToken(), routePassword: newToken(), secretKeys });
}

const newToken = () => randomBytes(24).toString('hex');

function write(file: string, secrets: Secrets): Secrets {
  const temporary = `${file}.${process.pid}`;
  const descriptor = fs.openSync(temporary, 'w', 0o600);
  fs.writeSync(descriptor, JSON.stringify(secrets, null, 2) + '\n');
  fs.fsyncSync(descriptor);
  fs.closeSync(descriptor);
  fs.renameSync(temporary, file);
  return secrets;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The schema refuses it with the rest of what is damaged.
    return undefined;
  }
}
