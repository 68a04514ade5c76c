import { randomBytes, randomUUID, type KeyObject } from 'node:crypto';
import { mkdir, open, readFile, rename } from 'node:fs/promises';
import path from 'node:path';
import { privateKeyOf, rawPublicKey } from '#contexts/trust/gate';
import { PRIVATE_DIRECTORY_MODE, PRIVATE_FILE_MODE } from '#private-files';
import { Refusal } from '#process';
import { z } from 'zod';

const identityFile = 'identity.json';
const identitySchema = z.object({
  /** One token of a NATS subject: the id names the worker's queue. */
  workerId: z.string().regex(/^worker-[A-Za-z0-9-]{1,64}$/),
  /** Seed of its Ed25519 key: 32 bytes in base64. Files of earlier versions lack it. */
  signingKey: z
    .string()
    .regex(/^[A-Za-z0-9+/]{43}=$/)
    .optional(),
});
type StoredIdentity = z.infer<typeof identitySchema>;

export interface Identity {
  /** `worker-<uuid>`; made once, and kept with the cached data it stands for on the ring. */
  workerId: string;
  /** New at every start. */
  bootId: string;
  /** Signs this worker's reports. Kept with the id: one id has one key. */
  signingKey: KeyObject;
  /** The public half, by which coordinators check the signatures: Ed25519, 32 bytes in base64. */
  publicKey: string;
}

/**
 * Reads the worker's identity from its cache directory, or makes it there.
 * @throws Refusal when the directory cannot be used or the file is not an identity: a worker with a new name beside old
 *   data would leave that data without an owner
 */
export async function loadIdentity(directory: string): Promise<Identity> {
  try {
    await mkdir(directory, { recursive: true, mode: PRIVATE_DIRECTORY_MODE });
    const stored = await readIdentity(directory);
    const { workerId, signingKey } = stored?.signingKey ? stored : await writeIdentity(directory, stored?.workerId);
    const key = privateKeyOf(Buffer.from(signingKey!, 'base64'));
    const publicKey = rawPublicKey(key).toString('base64');
    return { workerId, bootId: randomUUID(), signingKey: key, publicKey };
  } catch (error) {
    if (error instanceof Refusal) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new Refusal(`LARDER_CACHE_DIR: the identity in ${directory} cannot be read or made: ${reason}.`);
  }
}

async function readIdentity(directory: string): Promise<StoredIdentity | undefined> {
  const file = path.join(directory, identityFile);
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    return identitySchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new Refusal(
      `${file} does not hold a worker's identity; restore it, or remove it to let this worker join as a new one.`,
      { cause },
    );
  }
}

/** Writes the file as a whole or not at all: a power cut must not leave a file that then prevents the start. */
async function writeIdentity(directory: string, known: string | undefined): Promise<StoredIdentity> {
  const identity = { workerId: known ?? `worker-${randomUUID()}`, signingKey: randomBytes(32).toString('base64') };
  const temporary = path.join(directory, `${identityFile}.new`);
  const file = await open(temporary, 'w', PRIVATE_FILE_MODE);
  try {
    await file.writeFile(`${JSON.stringify(identity)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path.join(directory, identityFile));
  const parent = await open(directory, 'r');
  try {
    await parent.sync();
  } finally {
    await parent.close();
  }
  return identity;
}
