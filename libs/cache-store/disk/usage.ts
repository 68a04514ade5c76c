/** The running totals. `diskBytes` is what capacity is held against: files that exist, and files that will. */
export class Usage {
  /** Sizes of the segment files, dead records included. */
  segmentBytes = 0;
  /** Sizes of the object files, including those unlinked only after their last reader is done. */
  objectBytes = 0;
  /** Space promised to writers under way, whether they have written it yet or not. */
  reservedBytes = 0;
  /** What of it belongs to writers of object files: they take their time, and may yet give it back. */
  streamedBytes = 0;
  /** What of that they have written. */
  writtenBytes = 0;
  usedBytes = 0;
  objects = 0;
  metadataEntries = 0;
  /** Since the start. */
  evictedObjects = 0;
  expiredObjects = 0;

  /** @param heldToDisk the capacity is the file system's size, and not what was asked for */
  constructor(
    readonly capacityBytes: number,
    readonly heldToDisk = false,
  ) {}

  get diskBytes(): number {
    return this.segmentBytes + this.objectBytes + this.reservedBytes;
  }

  /** Not on the disk yet, and nobody else's any more. */
  get promisedBytes(): number {
    return this.reservedBytes - this.writtenBytes;
  }

  get freeBytes(): number {
    return this.capacityBytes - this.diskBytes;
  }
}
