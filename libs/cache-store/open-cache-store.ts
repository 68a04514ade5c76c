import { mkdir, stat } from 'node:fs/promises';
import { makePrivate, PRIVATE_DIRECTORY_MODE } from '#private-files';
import { DirectoryInUse, DirectoryLock } from '#process';
import { ActivePolicies } from './space/active-policies.js';
import { AccessLog } from './entries/access-log.js';
import { Admission } from './space/admission.js';
import { CacheIndex } from './entries/cache-index.js';
import { DiskCacheStore } from './cache-store.js';
import { Committer } from './io/committer.js';
import { CopyThreads } from './copying/copy-threads.js';
import { Compaction } from './space/compaction.js';
import { errorCode } from './disk/disk-errors.js';
import { DiskRoom } from './disk/disk-room.js';
import { EvictionOrder } from './space/eviction-order.js';
import { Expiry, type Loaded } from './space/expiry.js';
import { findIndexDamage, isDamage, quarantineIndex, withOpeningMarker } from './opening/index-health.js';
import { JobKeeps } from './space/job-keeps.js';
import { CacheLayout, FORMAT_VERSION, isWorkersFile, syncDirectory } from './disk/layout.js';
import { Mutex } from './space/mutex.js';
import { ObjectFiles } from './disk/objects.js';
import { adoptInventory, removeTemporaries, takeInventory, type Inventory } from './opening/recovery.js';
import { operationsFor } from './io/operations.js';
import { Segments } from './disk/segments.js';
import { Space } from './space/space.js';
import { Storage } from './space/storage.js';
import { Trimming } from './space/trimming.js';
import { CacheOpenError, type CacheStore, type CacheStoreOptions } from './types.js';
import { Usage } from './disk/usage.js';

const DEFAULT_PACKED_OBJECT_MAX_BYTES = 256 << 10;
const MIN_SEGMENT_BYTES = 1 << 20;
const MAX_SEGMENT_BYTES = 64 << 20;
const NEW_INDEX_BYTES = 1 << 20;

type Log = NonNullable<CacheStoreOptions['log']>;

/**
 * Opens a cache directory for this process alone, and creates it if it is missing.
 * @throws CacheOpenError when another process has it, or a newer version wrote it.
 */
export async function openCacheStore(options: CacheStoreOptions): Promise<CacheStore> {
  const log: Log = options.log ?? (() => undefined);
  const layout = new CacheLayout(options.directory);
  const open = makePrivate(layout.directory, isWorkersFile);
  if (open !== undefined) {
    log('The cache directory itself is not closed to other users, only what lies in it', {
      directory: layout.directory,
      reason: open,
    });
  }
  const lock = lockDirectory(layout.lock);
  try {
    return await openLocked(options, layout, lock, log);
  } catch (error) {
    lock.release();
    throw error;
  }
}

function lockDirectory(file: string): DirectoryLock {
  try {
    return DirectoryLock.acquire(file);
  } catch (error) {
    if (!(error instanceof DirectoryInUse)) throw error;
    const { pid, message } = error;
    const text = pid === undefined ? message : `The cache directory is in use by process ${pid} (${file})`;
    throw new CacheOpenError(text, { cause: error });
  }
}

async function openLocked(options: CacheStoreOptions, layout: CacheLayout, lock: DirectoryLock, log: Log) {
  const { format } = await layout.prepare();
  await removeTemporaries(layout);
  const { index, inventory } = await openIndex(layout, format, log);
  if (format < FORMAT_VERSION) await layout.writeFormat();
  for (const directory of [layout.index, layout.directory]) await syncDirectory(directory);
  if (inventory.broken.length > 0) {
    log('Index entries without their bytes are dropped', { entries: inventory.broken.length });
  }
  const { capacityBytes, heldToDisk } = await capacityFor(options, layout, log);
  const segmentBytes = segmentBytesFor(capacityBytes);
  const onRemoveError = (file: string, error: unknown) =>
    log('A data file could not be removed; its space stays counted', { file, error: String(error) });
  const usage = new Usage(capacityBytes, heldToDisk);
  const storage = new Storage(
    usage,
    new Segments(layout, usage, segmentBytes, onRemoveError),
    new ObjectFiles(layout, usage, onRemoveError),
  );
  await adoptInventory(layout, index, storage, inventory);
  const mutex = new Mutex();
  const clock = options.clock ?? Date.now;
  const policies = new ActivePolicies(options.policies);
  const accesses = new AccessLog(inventory.lastTick, clock);
  const keeps = await JobKeeps.open(layout.keeps, log);
  const admission = new Admission(keeps);
  const order = new EvictionOrder(index, storage, policies, keeps);
  const disk = new DiskRoom(layout.directory, usage);
  // A record that moves has fewer rows to write than a new one.
  const compaction = new Compaction(index, storage, log, 2 * operationsFor(capacityBytes));
  const space = new Space(index, storage, order, compaction, accesses, policies, disk);
  const remove = (expired: Loaded[]) => mutex.run(() => space.expire(expired, expiry));
  const expiry: Expiry = new Expiry(index, policies, clock, remove, (error) =>
    log('Expired objects could not be removed; this is tried again', { error: String(error) }),
  );
  storage.onLoaded = (entry) => expiry.noteLoaded(entry);
  await space.shrinkToCapacity();
  const committer = new Committer(mutex, index, storage, space, accesses, keeps, admission, clock);
  const packedMaxBytes = Math.min(
    options.packedObjectMaxBytes ?? DEFAULT_PACKED_OBJECT_MAX_BYTES,
    Math.floor(segmentBytes / 4),
  );
  return new DiskCacheStore({
    lock,
    mutex,
    index,
    storage,
    space,
    disk,
    copyThreads: new CopyThreads(),
    keeps,
    admission,
    committer,
    accesses,
    policies,
    expiry,
    trimming: new Trimming(index, storage, space, policies, keeps, mutex),
    packedMaxBytes,
    log,
  });
}

/**
 * No capacity can be larger than the file system. Other files on it may change in size: they are checked whenever room
 * is needed.
 */
async function capacityFor({ capacityBytes }: CacheStoreOptions, layout: CacheLayout, log: Log) {
  const { totalBytes } = await DiskRoom.sizeOf(layout.directory);
  if (capacityBytes <= totalBytes) return { capacityBytes, heldToDisk: false };
  log('The capacity of the cache exceeds the size of its disk, and is held to that', {
    capacityBytes,
    diskBytes: totalBytes,
    directory: layout.directory,
  });
  return { capacityBytes: totalBytes, heldToDisk: true };
}

/**
 * A 64th of the capacity, so that one segment more or less matters little. At least 1 MiB, as every segment costs a
 * file. For tiny caches at most an eighth, as room for compacting one segment is kept free.
 */
export function segmentBytesFor(capacityBytes: number): number {
  const wanted = Math.min(MAX_SEGMENT_BYTES, Math.max(MIN_SEGMENT_BYTES, Math.floor(capacityBytes / 64)));
  return Math.min(wanted, Math.floor(capacityBytes / 8));
}

/** Opens and reads the index. An unreadable index is put aside, and the cache starts empty. */
async function openIndex(
  layout: CacheLayout,
  format: number,
  log: Log,
): Promise<{ index: CacheIndex; inventory: Inventory }> {
  await assertRoomForNewIndex(layout);
  const openAndRead = () =>
    withOpeningMarker(layout, async () => {
      await mkdir(layout.index, { recursive: true, mode: PRIVATE_DIRECTORY_MODE });
      const index = new CacheIndex(layout.index);
      try {
        if (format < 2) {
          log('The cache is of an older format; its indexes are completed from its entries', { format });
          await index.rebuild();
        }
        return { index, inventory: await takeInventory(layout, index) };
      } catch (error) {
        await index.close();
        throw error;
      }
    });
  let damage = await findIndexDamage(layout);
  if (damage === undefined) {
    try {
      return await openAndRead();
    } catch (error) {
      if (!isDamage(error))
        throw new CacheOpenError(`The cache index in ${layout.index} cannot be opened`, { cause: error });
      damage = String(error);
    }
  }
  log('The cache index is damaged; it is put aside and the cache starts empty', { damage, to: layout.quarantine });
  await quarantineIndex(layout);
  return openAndRead();
}

/** LMDB runs its first transactions by itself, and it must not meet a full disk (see `IndexRoom`). */
async function assertRoomForNewIndex(layout: CacheLayout): Promise<void> {
  const { freeBytes } = await DiskRoom.sizeOf(layout.directory);
  if (freeBytes >= NEW_INDEX_BYTES || (await exists(CacheIndex.dataFile(layout.index)))) return;
  throw new CacheOpenError(`The disk of ${layout.directory} is too full to start a cache on`);
}

async function exists(file: string): Promise<boolean> {
  try {
    await stat(file);
    return true;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return false;
    throw error;
  }
}
