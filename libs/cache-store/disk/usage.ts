/** The running totals. The capacity limits `diskBytes`: files that exist, and files that are going to. */
export class Usage {
  /** Sizes of the segment files, dead records included. */
  segmentBytes = 0;
  /** Sizes of the object files, including those unlinked only after their last reader is done. */
  objectBytes = 0;
  /** Space promised to running writers, whether they have written it yet or not. */
  reservedBytes = 0;
  /** The part of it that belongs to writers of object files. These take long, and may still give it back. */
  streamedBytes = 0;
  /** The part of those bytes that is written. */
  writtenBytes = 0;
  usedBytes = 0;
  objects = 0;
  metadataEntries = 0;
  /** Since the start. */
  evictedObjects = 0;
  expiredObjects = 0;

  /** @param heldToDisk the capacity is the file system's size, and not the configured one */
  constructor(
    readonly capacityBytes: number,
    readonly heldToDisk = false,
  ) {}

  get diskBytes(): number {
    return this.segmentBytes + this.objectBytes + this.reservedBytes;
  }

  /** Not on the disk yet, but reserved. */
  get promisedBytes(): number {
    return this.reservedBytes - this.writtenBytes;
  }

  get freeBytes(): number {
    return this.capacityBytes - this.diskBytes;
  }
}
