import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import { z } from 'zod';
import { keyRingText } from '#config';
import type { Role } from '#jetstream';
import { Refusal } from '#process';

const password = z.string().min(1);

const schema = z.object({
  /** Passwords of the users of this cluster's own nats-servers, by role. */
  natsPasswords: z.object({
    coordinator: password,
    worker: password,
    admin: password,
    audit: password,
  } satisfies Record<Role, unknown>),
  /** The single token of all processes in earlier versions. Unused now; kept for a return to such a version. */
  natsToken: password.optional(),
  /** The password that its nats-servers use among each other. */
  routePassword: password,
  /** In the form of LARDER_SECRET_KEYS. Lost keys make the stored secrets of mounts unreadable. */
  secretKeys: password,
  /** In the form of LARDER_SIGNING_KEYS. Only for coordinators and the command line. */
  signingKeys: password,
});

/** Files of earlier versions lack some fields. */
const stored = schema.partial({ natsPasswords: true, routePassword: true, signingKeys: true });

export type Secrets = z.infer<typeof schema>;

/** The secrets of the data directory: those in `file`, or new ones, which are written there for the owner only. */
export function loadSecrets(file: string): Secrets {
  if (fs.existsSync(file)) {
    const parsed = stored.safeParse(parseJson(fs.readFileSync(file, 'utf8')));
    // Never replace them by new ones: values sealed with the old keys could not be opened again.
    if (!parsed.success) throw new Refusal(`${file} is damaged: restore it from a backup.`);
    const { routePassword, natsPasswords, signingKeys } = parsed.data;
    if (routePassword && natsPasswords && signingKeys) {
      return { ...parsed.data, routePassword, natsPasswords, signingKeys };
    }
    return write(file, { ...newSecrets(), ...parsed.data });
  }
  return write(file, newSecrets());
}

function newSecrets(): Secrets {
  return {
    natsPasswords: { coordinator: newToken(), worker: newToken(), admin: newToken(), audit: newToken() },
    routePassword: newToken(),
    secretKeys: newKey('standalone-1'),
    signingKeys: newKey('standalone-signing-1'),
  };
}

const newKey = (id: string) => keyRingText([{ id, key: randomBytes(32) }]);
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
    // The schema refuses this like any other damage.
    return undefined;
  }
}
