import { chmodSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** Others may not see anything that Larder keeps: data is cached for those who may read it at its source. */
export const PRIVATE_DIRECTORY_MODE = 0o700;
export const PRIVATE_FILE_MODE = 0o600;

const STICKY = 0o1000;
/** Names that file systems themselves put into their root. */
const systemNames = new Set(['lost+found']);

/**
 * Creates a directory for its owner alone. An existing directory is closed to others, and so are our entries directly
 * in it. Deeper entries are not looked at: others cannot reach them any more, and there may be millions of files.
 *
 * The directory itself stays open if it holds entries that are not ours, or is for all users (`/tmp`): closing it could
 * take away what belongs to others. Then the entries in it keep others out.
 *
 * @param isOurs whether Larder made the entry of this name
 * @returns why the directory itself could not be closed; undefined if it is closed
 */
export function makePrivate(directory: string, isOurs: (name: string) => boolean): string | undefined {
  mkdirSync(directory, { recursive: true, mode: PRIVATE_DIRECTORY_MODE });
  const names = readdirSync(directory);
  for (const name of names) if (isOurs(name)) closeToOthers(join(directory, name));
  const foreign = names.find((name) => !isOurs(name) && !systemNames.has(name));
  const { mode } = statSync(directory);
  if ((mode & 0o077) === 0) return undefined;
  if (mode & STICKY) return 'it is a directory for everybody';
  if (foreign !== undefined) return `it holds what is not Larder's: ${foreign}`;
  return closeToOthers(directory);
}

/** @returns why it failed; undefined if it did not */
function closeToOthers(path: string): string | undefined {
  try {
    const stat = statSync(path);
    if ((stat.mode & 0o077) !== 0) chmodSync(path, stat.mode & 0o700);
    return undefined;
  } catch (error) {
    // A link to nowhere, or a file of another user, who decides who may read it.
    return (error as Error).message;
  }
}
