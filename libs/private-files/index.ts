import { chmodSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** What others get to see of what Larder keeps: nothing. Data is cached for those who may read it at its source. */
export const PRIVATE_DIRECTORY_MODE = 0o700;
export const PRIVATE_FILE_MODE = 0o600;

const STICKY = 0o1000;
/** What file systems themselves keep in their root. */
const systemNames = new Set(['lost+found']);

/**
 * Makes a directory for its owner alone. One that is there is closed to others, with what lies directly in it: below that
 * nothing is looked at, as nobody gets there any more, and there may be millions of files.
 *
 * The directory itself is left as it is where it holds what is not ours, or is one for everybody (`/tmp`): closing it
 * could take away what belongs to others. Then the directories within it are what keeps others out.
 *
 * @param isOurs whether a name in the directory is of Larder's making
 * @returns why the directory itself could not be closed; undefined when it is
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

/** Returns why it could not be done. */
function closeToOthers(path: string): string | undefined {
  try {
    const stat = statSync(path);
    if ((stat.mode & 0o077) !== 0) chmodSync(path, stat.mode & 0o700);
    return undefined;
  } catch (error) {
    // A link to nowhere, or somebody else's: he has to say who may read it.
    return (error as Error).message;
  }
}
