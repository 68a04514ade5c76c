import { crc32 } from 'node:zlib';
import { PathTooLongError, type CacheEntry, type JobClaim } from '../types.js';

/**
 * LMDB keys hold at most 1978 bytes with its 4 KiB pages. The margin is for keys with more than the path. UFS paths
 * have at most 1900 bytes: the rest is for the number of a path's store.
 */
export const MAX_PATH_BYTES = 1920;

/** Where the bytes of an entry are. */
export type Location =
  { kind: 'segment'; segmentId: number; offset: number } | { kind: 'object'; objectId: number } | { kind: 'none' };

/** An entry in the index. `tick` is its place among the accesses. */
export interface StoredEntry {
  entry: CacheEntry;
  tick: number;
  location: Location;
}

// Value layout, little-endian:
//  0 u8 layout version   1 u8 flags   2 u8 zero   3 u8 replicas (0: 1)   4 u32 crc32   8 f64 sizeBytes   16 f64 loadedAtMs
// 24 f64 lastAccessMs   32 f64 tick   40 f64 segment or object id   48 u32 record offset in the segment
// 52 u16 version length   54 u16 job id length   56 version, job id (UTF-8)
// then, with FLAG_KEEPERS, to the end: u8 whether it is kept, u16 job id length, job id (UTF-8); and so on
const LAYOUT_VERSION = 1;
export const MAX_REPLICAS = 255;
const HEADER_BYTES = 56;
const FLAG_METADATA_ONLY = 1;
const FLAG_HAS_JOB = 2;
const FLAG_OBJECT_FILE = 4;
/** An older build does not know this flag and treats the copy as one that the job has loaded: no harm. */
const FLAG_KEPT = 8;
/** An older build reads what follows as part of the job id, and so as the id of a job that it does not know. */
const FLAG_KEEPERS = 16;

/** @throws Error for text that is not a key: empty, too long, or not Unicode (it would not read back as itself). */
export function encodePath(path: string): Buffer {
  if (path === '') throw new Error('A cache path cannot be empty');
  if (/\p{Surrogate}/u.test(path)) throw new Error(`Not well-formed Unicode: ${JSON.stringify(path.slice(0, 200))}`);
  const key = Buffer.from(path, 'utf8');
  if (key.length > MAX_PATH_BYTES) {
    throw new PathTooLongError(
      `The path has ${key.length} bytes, ${MAX_PATH_BYTES} are the most: ${path.slice(0, 80)}…`,
    );
  }
  return key;
}

/** For look-ups: undefined where no entry can be. */
export function lookupKey(path: string): Buffer | undefined {
  if (path === '' || /\p{Surrogate}/u.test(path)) return undefined;
  const key = Buffer.from(path, 'utf8');
  return key.length > MAX_PATH_BYTES ? undefined : key;
}

/** A value of the index that `encodeEntry` cannot have written. */
export class DamagedEntryError extends Error {
  override readonly name = 'DamagedEntryError';
}

export function encodeEntry({ entry, tick, location }: StoredEntry): Buffer {
  const version = Buffer.from(entry.version, 'utf8');
  const jobId = Buffer.from(entry.jobId ?? '', 'utf8');
  const keepers = encodeKeepers(entry.keepers ?? []);
  const value = Buffer.alloc(HEADER_BYTES + version.length + jobId.length + keepers.length);
  value[0] = LAYOUT_VERSION;
  value[1] =
    (entry.metadataOnly ? FLAG_METADATA_ONLY : 0) |
    (entry.jobId === undefined ? 0 : FLAG_HAS_JOB) |
    (location.kind === 'object' ? FLAG_OBJECT_FILE : 0) |
    (entry.kept ? FLAG_KEPT : 0) |
    (keepers.length > 0 ? FLAG_KEEPERS : 0);
  value[3] = entry.replicas;
  value.writeUInt32LE(entry.crc32, 4);
  value.writeDoubleLE(entry.sizeBytes, 8);
  value.writeDoubleLE(entry.loadedAtMs, 16);
  value.writeDoubleLE(entry.lastAccessMs, 24);
  value.writeDoubleLE(tick, 32);
  if (location.kind === 'segment') {
    value.writeDoubleLE(location.segmentId, 40);
    value.writeUInt32LE(location.offset, 48);
  } else if (location.kind === 'object') {
    value.writeDoubleLE(location.objectId, 40);
  }
  value.writeUInt16LE(version.length, 52);
  value.writeUInt16LE(jobId.length, 54);
  version.copy(value, HEADER_BYTES);
  jobId.copy(value, HEADER_BYTES + version.length);
  keepers.copy(value, HEADER_BYTES + version.length + jobId.length);
  return value;
}

function encodeKeepers(keepers: readonly JobClaim[]): Buffer {
  const parts = keepers.map(({ jobId, kept }) => {
    const id = Buffer.from(jobId, 'utf8');
    const part = Buffer.alloc(3 + id.length);
    part[0] = kept ? 1 : 0;
    part.writeUInt16LE(id.length, 1);
    id.copy(part, 3);
    return part;
  });
  return Buffer.concat(parts);
}

/** @throws DamagedEntryError */
function decodeKeepers(bytes: Buffer): JobClaim[] {
  const keepers: JobClaim[] = [];
  for (let at = 0; at < bytes.length;) {
    const end = at + 3 + (at + 3 <= bytes.length ? bytes.readUInt16LE(at + 1) : 0);
    if (end > bytes.length) throw new DamagedEntryError('An index entry ends within a job id');
    keepers.push({ jobId: bytes.toString('utf8', at + 3, end), kept: bytes[at] === 1 });
    at = end;
  }
  return keepers;
}

/** @throws DamagedEntryError */
export function decodeEntry(path: string, value: Buffer): StoredEntry {
  const summary = decodeSummary(value);
  const versionEnd = HEADER_BYTES + value.readUInt16LE(52);
  const flags = value[1] ?? 0;
  const hasJob = (flags & FLAG_HAS_JOB) !== 0;
  const jobEnd = versionEnd + value.readUInt16LE(54);
  return {
    entry: {
      path,
      sizeBytes: summary.sizeBytes,
      version: value.toString('utf8', HEADER_BYTES, versionEnd),
      crc32: value.readUInt32LE(4),
      loadedAtMs: value.readDoubleLE(16),
      lastAccessMs: value.readDoubleLE(24),
      ...(summary.location.kind === 'none' ? { metadataOnly: true } : {}),
      ...(hasJob ? { jobId: value.toString('utf8', versionEnd, jobEnd) } : {}),
      ...(flags & FLAG_KEPT ? { kept: true } : {}),
      ...(flags & FLAG_KEEPERS ? { keepers: decodeKeepers(value.subarray(jobEnd)) } : {}),
      replicas: value[3] || 1,
    },
    tick: summary.tick,
    location: summary.location,
  };
}

/** The part of every entry that opening a cache needs, without making strings. */
export function decodeSummary(value: Buffer): { sizeBytes: number; tick: number; location: Location } {
  if (value.length < HEADER_BYTES || value[0] !== LAYOUT_VERSION) {
    throw new DamagedEntryError('Not an index entry of this format');
  }
  const flags = value[1] ?? 0;
  const id = value.readDoubleLE(40);
  return {
    sizeBytes: value.readDoubleLE(8),
    tick: value.readDoubleLE(32),
    location:
      flags & FLAG_METADATA_ONLY
        ? { kind: 'none' }
        : flags & FLAG_OBJECT_FILE
          ? { kind: 'object', objectId: id }
          : { kind: 'segment', segmentId: id, offset: value.readUInt32LE(48) },
  };
}

export function sameLocation(a: Location, b: Location): boolean {
  switch (a.kind) {
    case 'none':
      return b.kind === 'none';
    case 'object':
      return b.kind === 'object' && a.objectId === b.objectId;
    case 'segment':
      return b.kind === 'segment' && a.segmentId === b.segmentId && a.offset === b.offset;
  }
}

// The eviction index: key = u8 zero, u48 tick (big-endian: byte order is the order of accesses);
// value = u32 tag of the job that loaded or keeps it, then the path. Which tier a path is of is asked of the policies.

export function evictionKey(tick: number): Buffer {
  const key = Buffer.allocUnsafe(7);
  key[0] = 0;
  key.writeUIntBE(tick, 1, 6);
  return key;
}

export function tickOfEvictionKey(key: Buffer): number {
  return key.readUIntBE(1, 6);
}

export function encodeEvictionValue(path: Buffer, jobId: string | undefined): Buffer {
  const value = Buffer.allocUnsafe(4 + path.length);
  value.writeUInt32LE(jobTag(jobId), 0);
  path.copy(value, 4);
  return value;
}

export interface EvictionRow {
  tick: number;
  jobTag: number;
  path: string;
}

export function decodeEvictionRow(tick: number, value: Buffer): EvictionRow {
  return { tick, jobTag: value.readUInt32LE(0), path: value.toString('utf8', 4) };
}

/**
 * Distinguishes the entries of jobs without reading them. Two jobs with the same tag (1 in 4 billion) only spare each
 * other's files. 0 stands for "no job".
 */
export function jobTag(jobId: string | undefined): number {
  return jobId === undefined ? 0 : crc32(jobId) || 1;
}

// The expiry index: key = u48 loadedAtMs (big-endian), then the path; no value.

const EXPIRY_PREFIX_BYTES = 6;
const MAX_EXPIRY_MS = 2 ** 48 - 1;

/** Without a path: before all entries of that millisecond. Times outside the range are moved to its ends. */
export function expiryKey(loadedAtMs: number, path?: Buffer): Buffer {
  const key = Buffer.allocUnsafe(EXPIRY_PREFIX_BYTES + (path?.length ?? 0));
  key.writeUIntBE(Math.min(Math.max(Math.floor(loadedAtMs), 0), MAX_EXPIRY_MS), 0, EXPIRY_PREFIX_BYTES);
  path?.copy(key, EXPIRY_PREFIX_BYTES);
  return key;
}

export function decodeExpiryKey(key: Buffer): { loadedAtMs: number; path: string } {
  return { loadedAtMs: key.readUIntBE(0, EXPIRY_PREFIX_BYTES), path: key.toString('utf8', EXPIRY_PREFIX_BYTES) };
}
