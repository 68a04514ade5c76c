import type { WorkBatch } from '#contexts/jobs';
import type { BatchOutcome, WorkerPorts } from '../../kind.js';
import { cutReason, forEachFile, type BatchFile, type FileOutcome, type KnownVersion } from './batch-file.js';
import { fetchFile } from './fetch-file.js';
import { currentVersion, sameVersion } from './load-pass.js';
import type { LoadBatchOptions } from './options.js';
import { isUfsError, retrying } from './retrying.js';

type VerifyOutcome = FileOutcome<'verified' | 'repaired'>;

/**
 * Compares what the cache holds with the UFS, and loads what differs once more. `verifiedFiles + repairedFiles +
 * verifyFailedFiles` is the number of files in the batch.
 */
export async function verifyPass(
  batch: WorkBatch,
  options: LoadBatchOptions,
  ports: WorkerPorts,
): Promise<BatchOutcome> {
  const verifyOne = options.loadMetadataOnly ? verifyMetadata : verifyBytes;
  return tallyVerify(await forEachFile(batch, options, ports, (file) => verifyOne(batch.jobId, file, ports)));
}

async function verifyBytes(jobId: string, file: BatchFile, ports: WorkerPorts): Promise<VerifyOutcome> {
  const current = await currentVersion(file, ports);
  if (await holdsBytes(jobId, file.path, current, ports)) return verified(current);
  const entry = await fetchFile(jobId, { ...file, listed: current }, ports);
  return { kind: 'repaired', sizeBytes: entry.sizeBytes, movedBytes: entry.sizeBytes };
}

/**
 * Whether the cache holds exactly this version's bytes: re-reads them, and compares with the UFS's hash if it has one.
 * Then they stay: no repair of this job is to push them out.
 */
async function holdsBytes(jobId: string, path: string, current: KnownVersion, ports: WorkerPorts): Promise<boolean> {
  const cached = ports.cache.get(path);
  if (!cached || cached.metadataOnly || !sameVersion(cached, current)) return false;
  return retrying(ports, async () => {
    const md5Hex = await currentMd5(path, current, ports);
    if (md5Hex === 'changed') return false;
    if (await ports.cache.check(path, md5Hex)) return ports.cache.keep({ path, jobId, ...current });
    // Wrong bytes must not be served while the repair is tried, nor if it fails.
    await ports.cache.delete(path);
    return false;
  });
}

async function currentMd5(path: string, current: KnownVersion, ports: WorkerPorts): Promise<string | undefined> {
  try {
    const hash = await ports.connectorFor(path).contentHash({ path, ...current }, ports.signal);
    return hash?.hex;
  } catch (error) {
    if (isUfsError(error, 'Changed')) return 'changed';
    throw error;
  }
}

async function verifyMetadata(jobId: string, file: BatchFile, ports: WorkerPorts): Promise<VerifyOutcome> {
  const current = await currentVersion(file, ports);
  const cached = ports.cache.get(file.path);
  if (cached && sameVersion(cached, current)) return verified(current);
  const { path, replicas } = file;
  await retrying(ports, () =>
    ports.cache.putMetadata({ path, version: current.version, jobId, replicas }, current.sizeBytes),
  );
  return { kind: 'repaired', sizeBytes: current.sizeBytes, movedBytes: 0 };
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
