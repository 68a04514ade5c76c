import type { CacheEntry } from '#cache-store';
import { isSameVersion, strongerOf } from '#ufs';
import type { WorkerPorts } from '#contexts/jobs/kinds';
import type { BatchFile, KnownVersion } from './batch-file.js';
import { retrying } from './retrying.js';

type File = Pick<BatchFile, 'path' | 'listed'>;

/** The UFS's version: as listed where the listing gives it, else as it is now. */
export async function currentVersion(file: File, ports: WorkerPorts): Promise<KnownVersion> {
  return file.listed ?? (await statted(file, ports));
}

/**
 * The UFS's version when it differs from the cached one; undefined where that is current. A listing may name a version
 * differently from reads (gateways, encryption), or give less: on a difference, the UFS is asked once more.
 */
export async function newerVersion(
  cached: CacheEntry,
  file: File,
  ports: WorkerPorts,
): Promise<KnownVersion | undefined> {
  const { listed } = file;
  if (listed && isSameVersion(cached, listed)) return undefined;
  const now = await statted(file, ports);
  if (isSameVersion(cached, now)) return undefined;
  if (listed?.sizeBytes !== now.sizeBytes) return now;
  return { sizeBytes: now.sizeBytes, version: strongerOf(now.version, listed.version) };
}

async function statted({ path }: File, ports: WorkerPorts): Promise<KnownVersion> {
  const { sizeBytes, version } = await retrying(ports, () => ports.connectorFor(path).stat(path, ports.signal));
  return { sizeBytes, version };
}
