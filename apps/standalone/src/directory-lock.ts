import path from 'node:path';
import { DirectoryInUse, DirectoryLock, Refusal } from '#process';

/**
 * Takes `standalone.lock` for this process, also when its former holder has ended without releasing it.
 * @returns a function that releases the lock
 * @throws Refusal naming the process that holds it
 */
export function lockDirectory(dataDir: string): () => void {
  try {
    const lock = DirectoryLock.acquire(path.join(dataDir, 'standalone.lock'));
    return () => lock.release();
  } catch (error) {
    if (!(error instanceof DirectoryInUse) || error.pid === undefined) throw error;
    const what = `LARDER_DATA_DIR ${dataDir} is in use by process ${error.pid}`;
    throw new Refusal(`${what}: stop that one, or name another directory.`, { cause: error });
  }
}
