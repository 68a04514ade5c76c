import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type CacheIndex } from '../entries/cache-index.js';
import { decodeSummary } from '../entries/entry-codec.js';
import { IndexBatch } from '../entries/index-batch.js';
import { type CacheLayout } from '../disk/layout.js';
import { recordBytes } from '../disk/record.js';
import { type Segment } from '../disk/segments.js';
import { type Storage } from '../space/storage.js';

/** What the index refers to, collected in one pass. */
export interface Inventory {
  segments: Map<number, Segment & { endBytes: number }>;
  /** Size by object id. */
  objects: Map<number, number>;
  lastTick: number;
  usedBytes: number;
  visibleObjects: number;
  metadataEntries: number;
  /** Entries whose bytes are missing. A crash cannot cause this, but a manual change in the directory can. */
  broken: string[];
}

/** Compares the whole index with the names (not the contents) of the data files. */
export async function takeInventory(layout: CacheLayout, index: CacheIndex): Promise<Inventory> {
  const inventory: Inventory = {
    segments: await listSegments(layout),
    objects: new Map(),
    lastTick: 0,
    usedBytes: 0,
    visibleObjects: 0,
    metadataEntries: 0,
    broken: [],
  };
  const objectFiles = new Set(await listObjects(layout));
  for (const { key, value } of index.scan()) {
    const { sizeBytes, tick, location } = decodeSummary(value);
    inventory.lastTick = Math.max(inventory.lastTick, tick);
    if (location.kind === 'none') {
      inventory.metadataEntries++;
      continue;
    }
    if (location.kind === 'segment') {
      const segment = inventory.segments.get(location.segmentId);
      const bytes = recordBytes(key.length, sizeBytes);
      if (segment === undefined || location.offset + bytes > segment.sizeBytes) {
        inventory.broken.push(key.toString('utf8'));
        continue;
      }
      segment.liveBytes += bytes;
      segment.endBytes = Math.max(segment.endBytes, location.offset + bytes);
    } else {
      if (!objectFiles.has(location.objectId)) {
        inventory.broken.push(key.toString('utf8'));
        continue;
      }
      inventory.objects.set(location.objectId, sizeBytes);
    }
    inventory.visibleObjects++;
    inventory.usedBytes += sizeBytes;
  }
  return inventory;
}

/** Passes the inventory to the storage. Removes files without an entry: a crash can leave such half-done work. */
export async function adoptInventory(
  layout: CacheLayout,
  index: CacheIndex,
  storage: Storage,
  inventory: Inventory,
): Promise<void> {
  const { usage, segments, objects } = storage;
  const batch = new IndexBatch(index);
  for (const path of inventory.broken) batch.remove(path);
  await index.commit(batch);
  usage.usedBytes = inventory.usedBytes;
  usage.objects = inventory.visibleObjects;
  usage.metadataEntries = inventory.metadataEntries;
  for (const { endBytes: _, ...segment } of inventory.segments.values()) {
    if (segment.liveBytes > 0) segments.adopt(segment);
    else await rm(layout.segmentFile(segment.id), { force: true });
  }
  for (const [objectId, sizeBytes] of inventory.objects) objects.adopt(objectId, sizeBytes);
  for (const objectId of await listObjects(layout)) {
    if (!inventory.objects.has(objectId)) await rm(layout.objectFile(objectId), { force: true });
  }
  const newest = Math.max(0, ...[...inventory.segments.values()].filter((s) => s.liveBytes > 0).map((s) => s.id));
  const last = inventory.segments.get(newest);
  if (last) await segments.resume(last.endBytes);
}

export async function removeTemporaries(layout: CacheLayout): Promise<void> {
  for (const name of await readdir(layout.tmp)) await rm(join(layout.tmp, name), { recursive: true, force: true });
}

async function listSegments(layout: CacheLayout): Promise<Inventory['segments']> {
  const segments: Inventory['segments'] = new Map();
  for (const name of await readdir(layout.segments)) {
    const id = Number.parseInt(name, 10);
    if (!Number.isSafeInteger(id)) continue;
    const { size } = await stat(layout.segmentFile(id));
    segments.set(id, { id, sizeBytes: size, liveBytes: 0, damaged: false, endBytes: 0 });
  }
  return segments;
}

async function listObjects(layout: CacheLayout): Promise<number[]> {
  const ids: number[] = [];
  for (const folder of await readdir(layout.objects)) {
    for (const name of await readdir(join(layout.objects, folder))) ids.push(Number.parseInt(name, 16));
  }
  return ids;
}
