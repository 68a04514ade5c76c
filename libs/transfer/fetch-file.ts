import type { CacheEntry, CacheWriter } from '#cache-store';
import { isSameVersion, isStrong, strongerOf, UfsError, type UfsConnector } from '#ufs';
import type { TransferSlot, WorkerPorts } from '#contexts/jobs/kinds';
import type { BatchFile, KnownVersion } from './batch-file.js';
import { copyLocal } from './copy-local.js';
import { copyParts, partBytes } from './fetch-parts.js';
import { isUfsError, retrying } from './retrying.js';

/** Objects up to this size are read in one piece and share segment files in the cache. */
export const packedObjectMaxBytes = 256 * 1024;

/**
 * How much of a streamed object is requested from the throttle at a time: small against a second's bytes on any link.
 */
const throttleQuantumBytes = 64 * 1024;

/** Where bytes come from: a UFS, or another worker. */
export type ObjectSource = Pick<UfsConnector, 'stat' | 'read' | 'open'> &
  Partial<Pick<UfsConnector, 'readsParts' | 'openLocal'>>;

/** The part of a worker's ports that fetching needs. */
export type FetchPorts = Pick<
  WorkerPorts,
  | 'cache'
  | 'storeOf'
  | 'claimRoom'
  | 'withTransferSlot'
  | 'withLargeObjectSlot'
  | 'withPartSlot'
  | 'isThrottled'
  | 'throttle'
  | 'retry'
  | 'signal'
  | 'onProgress'
> & { connectorFor(path: string): ObjectSource };

/**
 * Brings one object from the UFS into the cache, as a whole and of one version. When the version changes on the way,
 * the file begins again with the UFS's current version.
 * @throws FileError
 */
export async function fetchFile(jobId: string, file: BatchFile, ports: FetchPorts): Promise<CacheEntry> {
  const { path, replicas, loadedAtMs } = file;
  const store = file.store ?? ports.storeOf(path);
  let known = file.listed;
  let changed = false;
  const once = async (slot: TransferSlot) => {
    // Asked for each attempt: the mount may have changed its options, or be removed.
    const connector = ports.connectorFor(path);
    if (file.store === undefined && ports.storeOf(path) !== store) throw changedStore(path);
    const fetch: Fetch = { jobId, path, store, replicas, loadedAtMs, connector, slot, ports };
    if (changed) known = await connector.stat(path, ports.signal);
    changed = false;
    return known ? fetchKnown(fetch, known) : fetchUnknown(fetch);
  };
  const attempt = async (slot: TransferSlot) => {
    for (let isFirst = true; ; isFirst = false) {
      try {
        return await once(slot);
      } catch (error) {
        changed ||= isUfsError(error, 'Changed');
        // A listing may name the version differently: that is no reason to wait.
        if (!changed || !isFirst) throw error;
      }
    }
  };
  // Small objects pay before they take a slot, so that a job with a bandwidth limit does not wait while it holds one.
  const payForSmall = async () => {
    if (!known || known.sizeBytes > packedObjectMaxBytes) return;
    await ports.throttle(jobId, known.sizeBytes, ports.signal);
  };
  return retrying(ports, attempt, payForSmall);
}

interface Fetch {
  jobId: string;
  path: string;
  store: string | undefined;
  replicas: number;
  loadedAtMs?: number;
  connector: ObjectSource;
  slot: TransferSlot;
  ports: FetchPorts;
}

function fetchKnown(fetch: Fetch, known: KnownVersion): Promise<CacheEntry> {
  return known.sizeBytes <= packedObjectMaxBytes ? fetchSmall(fetch, known) : fetchKnownLarge(fetch, known);
}

async function fetchKnownLarge(fetch: Fetch, known: KnownVersion): Promise<CacheEntry> {
  if (isStrong(known.version)) return fetchLarge(fetch, known);
  // A listing without tags: for an object that takes long, get a version that tells more than a time does, if there is
  // one.
  const now = await fetch.connector.stat(fetch.path, fetch.ports.signal);
  if (now.sizeBytes <= packedObjectMaxBytes) return fetchSmall(fetch, now);
  return fetchLarge(
    fetch,
    isSameVersion(known, now) ? { ...now, version: strongerOf(known.version, now.version) } : now,
  );
}

/** Most objects are small. So read before asking for the size: one request instead of two. */
async function fetchUnknown(fetch: Fetch): Promise<CacheEntry> {
  try {
    return await fetchSmall(fetch);
  } catch (error) {
    if (!isUfsError(error, 'TooLarge')) throw error;
  }
  return fetchKnown(fetch, await fetch.connector.stat(fetch.path, fetch.ports.signal));
}

async function fetchSmall(
  { jobId, path, store, replicas, loadedAtMs, connector, slot, ports }: Fetch,
  known?: KnownVersion,
): Promise<CacheEntry> {
  const { signal } = ports;
  const { object, bytes } = await connector.read(path, {
    maxBytes: packedObjectMaxBytes,
    signal,
    ...(known && { expectedVersion: known.version, knownSizeBytes: known.sizeBytes }),
  });
  slot.arrived(bytes.length);
  if (!known) await ports.throttle(jobId, bytes.length, signal);
  requireLength(path, bytes.length, object.sizeBytes);
  if (known) requireLength(path, bytes.length, known.sizeBytes);
  signal.throwIfAborted();
  ports.onProgress(0, bytes.length);
  const room = await ports.claimRoom(path, bytes.length);
  try {
    signal.throwIfAborted();
    return await ports.cache.put({ path, store, version: object.version, jobId, replicas, loadedAtMs }, bytes, {
      signal,
    });
  } finally {
    room.release();
  }
}

async function fetchLarge(fetch: Fetch, known: KnownVersion): Promise<CacheEntry> {
  const { path, ports } = fetch;
  const room = await ports.claimRoom(path, known.sizeBytes);
  try {
    return await ports.withLargeObjectSlot(ports.signal, () => fetchStream(fetch, known));
  } finally {
    room.release();
  }
}

async function fetchStream(fetch: Fetch, known: KnownVersion): Promise<CacheEntry> {
  const { jobId, path, store, replicas, loadedAtMs, connector } = fetch;
  const ports = withRevocableProgress(fetch.ports);
  // Room is made before the first byte is requested from the UFS: a full cache costs no transfer.
  const writer = await ports.cache.create(
    { path, store, version: known.version, jobId, replicas, loadedAtMs },
    known.sizeBytes,
    { signal: ports.signal },
  );
  // Leaving the loop early must also end the transfer at the UFS, however the connector treats an abandoned body.
  const transfer = new AbortController();
  const signal = AbortSignal.any([ports.signal, transfer.signal]);
  try {
    const object = { jobId, path, known, connector };
    const isCopied =
      (await copyLocal(object, writer, ports)) || (isParted(fetch, known) && (await copyParts(object, writer, ports)));
    if (!isCopied) {
      const { sizeBytes: knownSizeBytes, version: expectedVersion } = known;
      const { body } = await connector.open(path, { expectedVersion, knownSizeBytes, signal });
      await copy(body, writer, { ...fetch, ports }, known);
    }
    signal.throwIfAborted();
    return await writer.commit();
  } catch (error) {
    await writer.abort();
    ports.revoke();
    throw error;
  } finally {
    transfer.abort();
  }
}

/**
 * Parts must all be of one version, so they need a version that proves it. A job with a bandwidth limit reads a stream,
 * whose rate is steady.
 */
function isParted({ jobId, connector, ports }: Fetch, { sizeBytes, version }: KnownVersion): boolean {
  return connector.readsParts === true && sizeBytes > 2 * partBytes && isStrong(version) && !ports.isThrottled(jobId);
}

async function copy(
  body: AsyncIterable<Buffer>,
  writer: CacheWriter,
  { jobId, path, ports }: Fetch,
  known: KnownVersion,
): Promise<void> {
  let received = 0;
  let paid = 0;
  /** Pays for the bytes that came beyond what was paid for, and for a quantum of the bytes still to come. */
  const payAhead = async () => {
    const due = Math.min(received + throttleQuantumBytes, known.sizeBytes) - paid;
    if (due <= 0) return;
    paid += due;
    await ports.throttle(jobId, due, ports.signal);
  };
  await payAhead();
  for await (const chunk of body) {
    received += chunk.length;
    if (received > known.sizeBytes) requireLength(path, received, known.sizeBytes);
    await writer.write(chunk);
    ports.onProgress(0, chunk.length);
    await payAhead();
  }
  requireLength(path, received, known.sizeBytes);
}

/** Bytes of a failed attempt must not show as progress. */
function withRevocableProgress(ports: FetchPorts): FetchPorts & { revoke(): void } {
  let moved = 0;
  return {
    ...ports,
    onProgress: (files, bytes) => {
      moved += bytes;
      ports.onProgress(files, bytes);
    },
    revoke: () => ports.onProgress(0, -moved),
  };
}

/** Connectors should prevent this, but the cache must not depend on it. */
function requireLength(path: string, received: number, expected: number): void {
  if (received === expected) return;
  throw new UfsError('Truncated', path, `${received} bytes came where ${expected} were expected: ${path}`);
}

function changedStore(path: string): UfsError {
  return new UfsError('Outside', path, `another store has been mounted meanwhile: ${path}`);
}
