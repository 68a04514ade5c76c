import type { CacheEntry } from '#cache-store';
import type { WorkBatch } from '#contexts/jobs';
import type { BatchOutcome, WorkerPorts } from '#contexts/jobs/kinds';
import {
  currentVersion,
  cutReason,
  fetchFile,
  forEachFile,
  isUfsError,
  newerVersion,
  retrying,
  type BatchFile,
  type FileOutcome,
  type KnownVersion,
} from '#transfer';
import { compareVersions, isSameCopy, type UfsConnector } from '#ufs';
import type { LoadBatchOptions } from './options.js';

type VerifyOutcome = FileOutcome<'verified' | 'repaired'>;

/**
 * Compares what the cache holds with the UFS, and loads different files once more. `verifiedFiles + repairedFiles +
 * verifyFailedFiles` is the number of files in the batch.
 */
export async function verifyPass(
  batch: WorkBatch,
  options: LoadBatchOptions,
  ports: WorkerPorts,
): Promise<BatchOutcome> {
  const verifyOne = options.loadMetadataOnly ? verifyMetadata : verifyBytes;
  return tallyVerify(await forEachFile(batch, options, ports, (file, own) => verifyOne(batch.jobId, file, own)));
}

async function verifyBytes(jobId: string, file: BatchFile, ports: WorkerPorts): Promise<VerifyOutcome> {
  const { path } = file;
  const cached = ports.cache.get(path);
  if (!cached || cached.metadataOnly) return repair(jobId, file, await currentVersion(file, ports), ports);
  const newer = await newerVersion(cached, file, ports);
  if (newer && !mayBeSame(cached, newer)) return repair(jobId, file, newer, ports);
  const found = newer ? await compareBytes(path, undefined, ports) : await compareWithHash(cached, ports);
  const known = newer ?? keyOf(cached);
  switch (found) {
    case 'right':
      if (newer) return repairUnlessEqual(jobId, file, cached, known, ports);
      // Keep the copy: no repair of this job may push it out.
      return (await ports.cache.keep({ ...keyOf(cached), jobId }))
        ? verified(cached)
        : repair(jobId, file, known, ports);
    case 'changed':
      return repair(jobId, file, await currentVersion({ path }, ports), ports);
    case 'another hash': {
      const outcome = await repairUnlessEqual(jobId, file, cached, known, ports);
      noteHash(ports.connectorFor(path), outcome.kind === 'repaired');
      return outcome;
    }
    case 'damaged':
      return repair(jobId, file, known, ports);
  }
}

/** For a store whose answers cannot distinguish the versions. */
function mayBeSame(cached: CacheEntry, newer: KnownVersion): boolean {
  return cached.sizeBytes === newer.sizeBytes && compareVersions(cached.version, newer.version) === 'unknown';
}

function keyOf({ path, version, sizeBytes }: CacheEntry): { path: string } & KnownVersion {
  return { path, version, sizeBytes };
}

async function repair(
  jobId: string,
  file: BatchFile,
  { version, sizeBytes }: KnownVersion,
  ports: WorkerPorts,
): Promise<VerifyOutcome> {
  const entry = await fetchFile(jobId, { ...file, listed: { version, sizeBytes } }, ports);
  return { kind: 'repaired', sizeBytes: entry.sizeBytes, movedBytes: entry.sizeBytes };
}

/** Loading the same bytes again is no repair: the store's tag is no MD5, or the store gives no version at all. */
async function repairUnlessEqual(
  jobId: string,
  file: BatchFile,
  cached: CacheEntry,
  known: KnownVersion,
  ports: WorkerPorts,
): Promise<VerifyOutcome> {
  const outcome = await repair(jobId, file, known, ports);
  const now = ports.cache.get(file.path);
  const isEqual = now?.crc32 === cached.crc32 && now.sizeBytes === cached.sizeBytes;
  return isEqual ? verified(cached) : outcome;
}

/**
 * How often in a row a connector's hashes were wrong. After a few, the bytes are only compared with their own checksum.
 */
const falseHashes = new WeakMap<UfsConnector, number>();
const maxFalseHashes = 3;

function noteHash(connector: UfsConnector, wasRight: boolean): void {
  falseHashes.set(connector, wasRight ? 0 : (falseHashes.get(connector) ?? 0) + 1);
}

type Found = 'right' | 'damaged' | 'another hash' | 'changed';

/**
 * Whether the cache holds exactly this version's bytes: reads them again, and compares them with the UFS's hash if
 * there is one.
 */
async function compareWithHash(cached: CacheEntry, ports: WorkerPorts): Promise<Found> {
  return retrying(ports, async () => {
    const md5Hex = await currentMd5(cached, ports);
    return md5Hex === 'changed' ? 'changed' : compareBytes(cached.path, md5Hex, ports);
  });
}

async function compareBytes(path: string, md5Hex: string | undefined, ports: WorkerPorts): Promise<Found> {
  if (await ports.cache.check(path, md5Hex)) return 'right';
  const isWhole = md5Hex !== undefined && (await ports.cache.check(path));
  // Wrong bytes must not be served during the repair, nor after a failed one.
  await ports.cache.delete(path);
  return isWhole ? 'another hash' : 'damaged';
}

async function currentMd5(cached: CacheEntry, ports: WorkerPorts): Promise<string | undefined> {
  const connector = ports.connectorFor(cached.path);
  if ((falseHashes.get(connector) ?? 0) >= maxFalseHashes) return undefined;
  try {
    return (await connector.contentHash(keyOf(cached), ports.signal))?.hex;
  } catch (error) {
    if (isUfsError(error, 'Changed')) return 'changed';
    throw error;
  }
}

async function verifyMetadata(jobId: string, file: BatchFile, ports: WorkerPorts): Promise<VerifyOutcome> {
  const store = ports.storeOf(file.path);
  const cached = ports.cache.get(file.path);
  const newer = cached ? await newerVersion(cached, file, ports) : await currentVersion(file, ports);
  if (cached && (newer === undefined || isSameCopy(cached, newer))) return verified(cached);
  const { version, sizeBytes } = newer!;
  const { path, replicas } = file;
  await retrying(ports, () => ports.cache.putMetadata({ path, store, version, jobId, replicas }, sizeBytes));
  return { kind: 'repaired', sizeBytes, movedBytes: 0 };
}

function verified({ sizeBytes }: KnownVersion): VerifyOutcome {
  return { kind: 'verified', sizeBytes, movedBytes: 0 };
}

export function tallyVerify(outcomes: readonly VerifyOutcome[]): BatchOutcome {
  const counts = { verifiedFiles: 0, repairedFiles: 0, repairedBytes: 0, verifyFailedFiles: 0 };
  const failures: BatchOutcome['failures'] = [];
  for (const one of outcomes) {
    switch (one.kind) {
      case 'verified':
        counts.verifiedFiles++;
        break;
      case 'repaired':
        counts.repairedFiles++;
        counts.repairedBytes += one.movedBytes;
        break;
      case 'failed':
        counts.verifyFailedFiles++;
        failures.push({ ...one.failure, reason: cutReason(`verify: ${one.failure.reason}`) });
        break;
    }
  }
  return { counts, failures };
}
