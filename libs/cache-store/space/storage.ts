import { recordBytes } from '../disk/record.js';
import { sameLocation, type StoredEntry } from '../entries/entry-codec.js';
import { hasBytes, type IndexChange } from '../entries/index-rows.js';
import { type ObjectFiles } from '../disk/objects.js';
import { type Segments } from '../disk/segments.js';
import { type CacheEntry } from '../types.js';
import { type Usage } from '../disk/usage.js';

/** Bytes an entry takes in data files. */
export function storedBytes({ entry, location }: StoredEntry): number {
  switch (location.kind) {
    case 'none':
      return 0;
    case 'object':
      return entry.sizeBytes;
    case 'segment':
      return recordBytes(Buffer.byteLength(entry.path), entry.sizeBytes);
  }
}

/** The data files behind the index, and the one place where committed index changes become space and totals. */
export class Storage {
  constructor(
    readonly usage: Usage,
    readonly segments: Segments,
    readonly objects: ObjectFiles,
  ) {}

  /** Called with every new copy once it is in the index. */
  onLoaded: (entry: CacheEntry) => void = () => undefined;

  /**
   * Call this with the changes of an index commit, once it is durable: only then may the old bytes be removed. Totals
   * are right as soon as this returns its promise. Unread files are removed when it resolves.
   */
  async settle(changes: IndexChange[]): Promise<void> {
    const removals: Promise<void>[] = [];
    for (const { before, after } of changes) {
      if (after) this.count(after, 1);
      if (before) this.count(before, -1);
      if (after && after.entry.loadedAtMs !== before?.entry.loadedAtMs) this.onLoaded(after.entry);
      if (before && after && sameLocation(before.location, after.location)) continue;
      if (after) this.retain(after);
      if (before) removals.push(...this.release(before));
    }
    removals.push(this.segments.sweep());
    await Promise.all(removals);
  }

  /** Whether a reader uses the entry's file: then evicting the entry frees nothing yet. */
  isBeingRead({ location }: StoredEntry): boolean {
    switch (location.kind) {
      case 'none':
        return false;
      case 'object':
        return this.objects.pins.has(location.objectId);
      case 'segment':
        return this.segments.pins.has(location.segmentId);
    }
  }

  private count(stored: StoredEntry, sign: 1 | -1): void {
    if (hasBytes(stored)) {
      this.usage.objects += sign;
      this.usage.usedBytes += sign * stored.entry.sizeBytes;
    } else {
      this.usage.metadataEntries += sign;
    }
  }

  private retain(stored: StoredEntry): void {
    const { location, entry } = stored;
    if (location.kind === 'segment') this.segments.retain(location.segmentId, storedBytes(stored));
    else if (location.kind === 'object') this.objects.retain(entry.sizeBytes);
  }

  private release(stored: StoredEntry): Promise<void>[] {
    const { location, entry } = stored;
    if (location.kind === 'object') return [this.objects.release(location.objectId, entry.sizeBytes)];
    if (location.kind === 'segment') this.segments.release(location.segmentId, storedBytes(stored));
    return [];
  }
}
