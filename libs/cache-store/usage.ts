/** The running totals. `diskBytes` is what capacity is held against: files that exist, and files that will. */
export class Usage {
  /** Sizes of the segment files, dead records included. */
  segmentBytes = 0;
  /** Sizes of the object files, including those unlinked only after their last reader is done. */
  objectBytes = 0;
  /** Space promised to writers under way. */
  reservedBytes = 0;
  usedBytes = 0;
  objects = 0;
  metadataEntries = 0;
  /** Since the start. */
  evictedObjects = 0;
  expiredObjects = 0;

  constructor(readonly capacityBytes: number) {}

  get diskBytes(): number {
    return this.segmentBytes + this.objectBytes + this.reservedBytes;
  }

  get freeBytes(): number {
    return this.capacityBytes - this.diskBytes;
  }
}
