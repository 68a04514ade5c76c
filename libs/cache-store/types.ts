import type { Readable } from 'node:stream';

/** What the cache knows of one cached UFS object. Keys are full UFS paths, ordered by their UTF-8 bytes. */
export interface CacheEntry {
  path: string;
  sizeBytes: number;
  /** The UFS version token the bytes were read under. */
  version: string;
  /** CRC-32 (IEEE) of the content; 0 for metadata-only entries. */
  crc32: number;
  /** Wall clock, ms since the epoch. */
  loadedAtMs: number;
  lastAccessMs: number;
  /** Present when only metadata was loaded: there are no bytes to serve. */
  metadataOnly?: boolean;
  /** The job that put the copy here, or has kept it since; absent for passive caching. */
  jobId?: string;
  /** Present when `jobId` found the copy here and counts on it. */
  kept?: boolean;
  /** Further running jobs that counted on this copy when its job last changed. */
  keepers?: JobClaim[];
  /** Number of distinct workers that were to hold a copy when this was loaded. */
  replicas: number;
}

/** A job's claim on a copy. */
export interface JobClaim {
  jobId: string;
  /** The job found the copy here, instead of putting it here. */
  kept: boolean;
}

export interface NewObject {
  path: string;
  /** The store of the content; default the path's store. Only `ScopedCache` uses this. */
  store?: string;
  version: string;
  jobId?: string;
  /** Distinct workers that were to hold a copy when this was loaded, 1 to 255; default 1. */
  replicas?: number;
  /**
   * When the content came from the UFS, ms since the epoch. Default, and latest value: now. A copy that moves between
   * workers keeps it: a time to live counts from loading.
   */
  loadedAtMs?: number;
}

export interface KeptCopy {
  path: string;
  version: string;
  sizeBytes: number;
  jobId: string;
}

/** The policies in the form that the store needs. Called often, also in long walks: must be cheap. */
export interface CachePolicies {
  /**
   * Eviction tier of a path: 0 = LOW, 1 = MEDIUM (default), 2 = HIGH. Tier -1, of no use at present, is evicted first.
   */
  tierOf(path: string): -1 | 0 | 1 | 2;
  /** Seconds after loading at which the path expires; undefined: never. Few distinct values are cheap, many are not. */
  ttlSecondsOf(path: string): number | undefined;
}

/** An ordered, persistent set of paths. */
export interface CacheFileIndex {
  /**
   * For each path whether it was really added (false: it was there). Also works for paths that are not cached. Long
   * lists take several transactions. @throws Error, PathTooLongError for invalid paths (nothing is added then);
   * DiskFullError.
   */
  add(paths: readonly string[]): Promise<boolean[]>;
  /** For each path whether it was really removed. The cached copy, if there is one, stays. @throws DiskFullError */
  remove(paths: readonly string[]): Promise<boolean[]>;
  has(path: string): boolean;
  /** The paths that start with `prefix`, in order of UTF-8 bytes, greater than `after`, at most `limit`. */
  list(options: { prefix?: string; after?: string; limit: number }): string[];
  count(): number;
}

/** Where in an open file the bytes of a part are. */
export interface PartSource {
  fd: number;
  position: number;
}

/** Streams one large object into a temporary file; nothing is visible before `commit` resolves. */
export interface CacheWriter {
  /** Resolves when the store can take more. @throws CacheFullError, DiskFullError; the writer is aborted then. */
  write(chunk: Buffer): Promise<void>;
  /**
   * Writes a part at its place, several at once and in any order. A writer takes either chunks or parts. Parts must not
   * overlap, and none may be written twice. In a thread where the memory is shared (SharedArrayBuffer).
   * @throws CacheFullError, DiskFullError; the writer is aborted then.
   */
  writePart(offset: number, bytes: Buffer): Promise<void>;
  /**
   * Copies a part from another open file, in a thread of its own. Like `writePart` otherwise. When it settles, the source
   * is not read any more.
   * @throws the error of a system call: `syscall` is `read` where the source is at fault; RangeError, when the source ends
   *   before; CopyThreadError; as `writePart`. The writer is aborted then.
   */
  copyPart(offset: number, length: number, source: PartSource): Promise<void>;
  /** Makes the object visible and durable. Fails, leaving nothing, unless exactly `sizeBytes` were written. */
  commit(): Promise<CacheEntry>;
  /** Removes the temporary file and gives the reserved space back. Safe to call twice or after `commit`. */
  abort(): Promise<void>;
}

export interface WriteOptions {
  signal?: AbortSignal;
}

export interface CacheRead {
  entry: CacheEntry;
  /**
   * The bytes `start..end` (inclusive), default all. They stay whole and unchanged if the object is replaced, evicted
   * or compacted meanwhile. Destroyed with an error if the bytes on disk do not match their checksum (whole reads
   * only).
   */
  stream(range?: { start: number; end: number }): Readable;
  /** Must be called when the read is not streamed. */
  close(): Promise<void>;
}

export interface CacheStats {
  capacityBytes: number;
  /** Sum of `sizeBytes` of the visible objects. */
  usedBytes: number;
  /** Bytes of data files on disk; never more than `capacityBytes`. */
  diskBytes: number;
  objects: number;
  /** Visible entries of which only metadata is kept; counted in neither `objects` nor `usedBytes`. */
  metadataEntries?: number;
  /** Copies removed for lack of room, since the start. */
  evictedObjects: number;
  /** Copies removed because their time had passed, since the start. */
  expiredObjects: number;
}

/** Why no room could be made. */
export interface RoomRefusal {
  missingBytes: number;
  /** Promised to running writers: some of it may become free. */
  promisedBytes: number;
  /** Other running jobs, for which copies are kept that could be evicted otherwise. */
  keptFor: string[];
}

/** No room could be made, in the cache or on its disk. */
export class NoRoomError extends Error {
  constructor(
    message: string,
    readonly refusal?: RoomRefusal,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/**
 * No room could be made. Everything left belongs to the same job, is kept for a running one, is of a higher tier or is
 * being read; or the object is larger than the cache.
 */
export class CacheFullError extends NoRoomError {
  override readonly name = 'CacheFullError';
}

/** The file system has no room, or said ENOSPC or EDQUOT, even after evicting. */
export class DiskFullError extends NoRoomError {
  override readonly name = 'DiskFullError';
}

/** The directory is in use by another process, or was written by a newer version. */
export class CacheOpenError extends Error {
  override readonly name = 'CacheOpenError';
}

/** The path has more UTF-8 bytes than an index key can hold (`MAX_PATH_BYTES`). */
export class PathTooLongError extends Error {
  override readonly name = 'PathTooLongError';
}

/** The bytes on disk are not the bytes that were stored: a wrong checksum, or a file that is shorter than recorded. */
export class CorruptObjectError extends Error {
  override readonly name = 'CorruptObjectError';
}

/** The threads that copied a part have ended before they had done so. */
export class CopyThreadError extends Error {
  override readonly name = 'CopyThreadError';
}

export interface CacheStore {
  get(path: string): CacheEntry | undefined;
  /**
   * Puts a small object; visible and durable when it resolves. Replaces an older copy atomically. A job's object waits
   * a limited time for room that running writers may give back.
   * @throws CacheFullError, DiskFullError; the signal's reason when aborted while it waits for room
   */
  put(object: NewObject, bytes: Buffer, options?: WriteOptions): Promise<CacheEntry>;
  /** Reserves `sizeBytes`, evicting or waiting like `put`, and opens a temporary file. @throws as `put` */
  create(object: NewObject, sizeBytes: number, options?: WriteOptions): Promise<CacheWriter>;
  putMetadata(object: NewObject, sizeBytes: number): Promise<CacheEntry>;
  /**
   * A job counts on a copy that is already here. Like copies that the job put here, it is durably protected from
   * eviction for that job. Counts as an access. False when there is no (longer a) copy of this version and size.
   * @throws DiskFullError
   */
  keep(copy: KeptCopy): Promise<boolean>;
  /**
   * From now on, also after a restart, no eviction for others removes what this job has put here or keeps: the job will
   * report that it is here. Ends with `letGo`, to be called when the job ends or is stopped.
   */
  keepFor(jobId: string): Promise<void>;
  letGo(jobId: string): void;
  /** The jobs for which copies may be kept. */
  keptFor(): string[];
  /**
   * `confirm` runs before an object fails because of kept copies. It calls `letGo` for jobs that have ended meanwhile.
   */
  onKeptFull(confirm: () => Promise<void>): void;
  /** Opens for reading and counts as an access for eviction. Undefined when absent or metadata only. */
  read(path: string): CacheRead | undefined;
  /** Re-reads the stored bytes; false when they do not match the recorded checksum. With `md5`, compares that too. */
  check(path: string, md5Hex?: string): Promise<boolean>;
  delete(path: string): Promise<boolean>;
  /** Entries whose path starts with `prefix` and is greater than `after`, in order, at most `limit`. */
  entries(prefix: string, options?: { after?: string; limit?: number }): Iterable<CacheEntry>;
  stats(): CacheStats;
  /**
   * Applies these policies, also to cached copies. Call this only when policies change: each call reads all entries
   * again, in the background. Until the first call: MEDIUM, and nothing expires.
   */
  setPolicies(policies: CachePolicies): void;
  /**
   * Bytes and objects at and below a directory: the object of exactly that path and all below `path/`; `''` is
   * everything. Slashes at the end are ignored. Always costs two look-ups. Metadata-only entries count 0 bytes and 0
   * objects.
   */
  usage(path: string): { bytes: number; objects: number };
  /**
   * Evicts at and below a directory until it has at most so many bytes: the lowest tier first, within it the least
   * recently used first. Copies that running jobs count on, or that are being read, stay: so more may be left.
   */
  trim(path: string, maxBytes: number): Promise<void>;
  /**
   * `put` and `create().commit()` add the path; delete, eviction and expiry remove it, each in the entry's own
   * transaction. `putMetadata` does not add it, and removes it where it replaces a copy.
   */
  readonly fileIndex: CacheFileIndex;
  /** Waits for pending writes and releases the directory. */
  close(): Promise<void>;
}

export interface CacheStoreOptions {
  directory: string;
  capacityBytes: number;
  /** Objects up to this size share segment files; larger ones get a file each. */
  packedObjectMaxBytes?: number;
  /** As with `setPolicies`, but known before the first eviction: a cache opened with less capacity evicts while opening. */
  policies?: CachePolicies;
  /** Wall clock, ms since the epoch; tests give their own. */
  clock?: () => number;
  /** Receives news for the operator: a damaged index put aside, a corrupt object dropped, a file not removed. */
  log?: (message: string, details?: Record<string, unknown>) => void;
}
