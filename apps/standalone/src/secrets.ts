import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import { z } from 'zod';
import { StartRefused } from './start-refused.js';

const schema = z.object({
  /** What clients of this cluster's own nats-server present. */
  natsToken: z.string().min(1),
  /** In the form of LARDER_SECRET_KEYS. Lost keys make the stored secrets of mounts unreadable. */
  secretKeys: z.string().min(1),
});

export type Secrets = z.infer<typeof schema>;

/** The data directory's secrets: those in `file`, or new ones, which are written there (readable by the owner only). */
export function loadSecrets(file: string): Secrets {
  if (fs.existsSync(file)) {
    const parsed = schema.safeParse(parseJson(fs.readFileSync(file, 'utf8')));
    // Never replaced by new ones: what the old keys sealed could not be opened again.
    if (!parsed.success) throw new StartRefused(`${file} is damaged: restore it from a backup.`);
    return parsed.data;
  }
  const secrets: Secrets = {
    natsToken: randomBytes(24).toString('hex'),
    secretKeys: `standalone-1:${randomBytes(32).toString('base64')}`,
  };
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
