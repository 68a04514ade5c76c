import { type Location } from '../entries/entry-codec.js';
import { type IndexBatch } from '../entries/index-batch.js';
import { type Appendable, type RecordPlace } from '../disk/segments.js';
import { type CacheEntry, type JobClaim, type NewObject } from '../types.js';

/** More than this waits for the next group: it limits how long the first caller of a group waits. */
const MAX_GROUP_BYTES = 8 << 20;
const MAX_GROUP_OPERATIONS = 256;
const MIN_GROUP_OPERATIONS = 8;
/** A transaction asks for 40 KB of room in the index per operation, should every page split: 2 % of the capacity. */
const CAPACITY_PER_OPERATION = 2 << 20;

/** A packed object on its way into a segment. */
export interface PackedObject {
  record: Appendable;
  object: NewObject;
  place?: RecordPlace;
}

export interface Operation<T = unknown> {
  packed?: PackedObject;
  /** The object for which something may be evicted. */
  object?: NewObject;
  /** How much it counts among the group's operations. Default 1. */
  weight?: number;
  /** It only removes from the index. */
  shrinking?: boolean;
  /** Adds the changes to the group's index transaction. Returns the caller's result for when that is durable. */
  stage: (batch: IndexBatch) => T;
  /** Runs when the transaction is durable, right before totals change. */
  committed?: () => void;
  resolve: (result: T) => void;
  reject: (error: unknown) => void;
}

export interface Content {
  sizeBytes: number;
  crc32: number;
}

/** How many operations may share a transaction: on a small disk the index must not take the space of the objects. */
export function operationsFor(capacityBytes: number): number {
  const affordable = Math.floor(capacityBytes / CAPACITY_PER_OPERATION);
  return Math.min(MAX_GROUP_OPERATIONS, Math.max(MIN_GROUP_OPERATIONS, affordable));
}

/** Takes the operations of the next group from the queue. */
export function takeGroup(queue: Operation[], maxOperations: number): Operation[] {
  let bytes = 0;
  let weight = 0;
  let count = 0;
  while (count < queue.length && weight < maxOperations && bytes < MAX_GROUP_BYTES) {
    bytes += queue[count]?.packed?.record.sizeBytes ?? 0;
    weight += queue[count]?.weight ?? 1;
    count++;
  }
  return queue.splice(0, count);
}

export function withKeepers({ keepers: _, ...entry }: CacheEntry, keepers: JobClaim[]): CacheEntry {
  return keepers.length > 0 ? { ...entry, keepers } : entry;
}

export function locationOf(place: RecordPlace | { objectId: number } | undefined): Location {
  if (place === undefined) return { kind: 'none' };
  return 'objectId' in place ? { kind: 'object', ...place } : { kind: 'segment', ...place };
}
