import { randomUUID } from 'node:crypto';
import { mkdir, open, readFile, rename } from 'node:fs/promises';
import path from 'node:path';
import { PRIVATE_DIRECTORY_MODE, PRIVATE_FILE_MODE } from '#private-files';
import { z } from 'zod';
import { Refusal } from './refusal.js';

const identityFile = 'identity.json';
/** One token of a NATS subject: the id names the worker's queue. */
const identitySchema = z.object({ workerId: z.string().regex(/^worker-[A-Za-z0-9-]{1,64}$/) });

export interface Identity {
  /** `worker-<uuid>`; made once, and kept with the cached data it stands for on the ring. */
  workerId: string;
  /** New at every start. */
  bootId: string;
}

/**
 * Reads the worker's identity from its cache directory, or makes it there.
 * @throws Refusal when the directory cannot be used or the file is not an identity: a worker with a new name beside old
 *   data would leave that data without an owner
 */
export async function loadIdentity(directory: string): Promise<Identity> {
  try {
    await mkdir(directory, { recursive: true, mode: PRIVATE_DIRECTORY_MODE });
    const workerId = (await readIdentity(directory)) ?? (await makeIdentity(directory));
    return { workerId, bootId: randomUUID() };
  } catch (error) {
    if (error instanceof Refusal) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new Refusal(`LARDER_CACHE_DIR: the identity in ${directory} cannot be read or made: ${reason}.`);
  }
}

async function readIdentity(directory: string): Promise<string | undefined> {
  const file = path.join(directory, identityFile);
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    return identitySchema.parse(JSON.parse(text)).workerId;
  } catch (cause) {
    throw new Refusal(
      `${file} does not hold a worker's identity; restore it, or remove it to let this worker join as a new one.`,
      { cause },
    );
  }
}

/** Whole or not at all: a power cut must not leave a file that then refuses the start. */
async function makeIdentity(directory: string): Promise<string> {
  const workerId = `worker-${randomUUID()}`;
  const temporary = path.join(directory, `${identityFile}.new`);
  const file = await open(temporary, 'w', PRIVATE_FILE_MODE);
  try {
    await file.writeFile(`${JSON.stringify({ workerId })}\n`);
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
  return workerId;
}
