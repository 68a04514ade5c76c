import { crc32 } from 'node:zlib';
import { type FileHandle } from 'node:fs/promises';
import { isDiskFull } from '../disk/disk-errors.js';
import { IndexBatch } from '../entries/index-batch.js';
import { type CacheIndex } from '../entries/cache-index.js';
import { type StoredEntry } from '../entries/entry-codec.js';
import { decodeRecordHeader, encodeRecordHeader, payloadOffset, recordBytes } from '../disk/record.js';
import { type Segment } from '../disk/segments.js';
import { type Storage } from './storage.js';

type Log = (message: string, details?: Record<string, unknown>) => void;

/** Bytes read and moved at a time: bounds memory, and how much is copied before space is freed. */
const WINDOW_BYTES = 4 << 20;

interface LiveRecord {
  stored: StoredEntry;
  payload: Buffer;
}

/**
 * Frees a segment by appending its live records to the active segment. Each window is copied and synced before the
 * index refers to the new copy. A crash in between leaves both copies, and the index refers to the old one.
 */
export class Compaction {
  constructor(
    private readonly index: CacheIndex,
    private readonly storage: Storage,
    private readonly log: Log,
    /** Bounds the index transaction when records are tiny. */
    private readonly maxRecordsPerMove: number,
  ) {}

  /**
   * Needs free space for the segment's live bytes. Afterwards the segment is removed (when its readers are done),
   * unless it was found `damaged`. @throws Error with code ENOSPC when the disk is full; nothing is lost then.
   */
  async run(segment: Segment): Promise<void> {
    await this.storage.segments.seal(segment);
    const { handle, release } = await this.storage.segments.openForReading(segment.id);
    try {
      let offset = 0;
      let windowBytes = WINDOW_BYTES;
      while (offset < segment.sizeBytes && segment.liveBytes > 0) {
        const window = await readWindow(handle, offset, Math.min(windowBytes, segment.sizeBytes - offset));
        const { records, consumed, damaged } = this.parse(segment, offset, window);
        if (records.length > 0) await this.moveAll(records);
        if (damaged) {
          segment.damaged = true;
          this.log('A segment has a damaged record header and cannot be compacted', { segmentId: segment.id, offset });
          return;
        }
        offset += consumed;
        if (consumed > 0) windowBytes = WINDOW_BYTES;
        else if (offset + window.length >= segment.sizeBytes) break;
        else windowBytes *= 2; // a record larger than the window
      }
    } finally {
      await release();
    }
    if (segment.liveBytes > 0) {
      segment.damaged = true;
      this.log('A segment ends within a record that is in use and cannot be compacted', { segmentId: segment.id });
    }
    await this.storage.segments.sweep();
  }

  private parse(
    segment: Segment,
    start: number,
    window: Buffer,
  ): { records: LiveRecord[]; consumed: number; damaged: boolean } {
    const records: LiveRecord[] = [];
    let position = 0;
    while (position < window.length && records.length < this.maxRecordsPerMove) {
      const header = decodeRecordHeader(window.subarray(position));
      if (header === 'damaged') return { records, consumed: position, damaged: true };
      if (header === 'short') break;
      const pathBytes = Buffer.byteLength(header.path);
      const end = position + recordBytes(pathBytes, header.payloadBytes);
      if (end > window.length) break;
      const stored = this.index.get(header.path);
      const { location } = stored ?? {};
      if (stored && location?.kind === 'segment' && location.segmentId === segment.id) {
        if (location.offset === start + position) {
          records.push({ stored, payload: window.subarray(position + payloadOffset(pathBytes), end) });
        }
      }
      position = end;
    }
    return { records, consumed: position, damaged: false };
  }

  /**
   * The fewer records at a time, the less room the index needs. Checked before anything is copied, as copies take room
   * too.
   */
  private async moveAll(records: LiveRecord[]): Promise<void> {
    try {
      await this.index.ensureRoom(records.map(({ stored }) => stored));
    } catch (error) {
      if (!isDiskFull(error) || records.length === 1) throw error;
      const half = Math.ceil(records.length / 2);
      for (const part of [records.slice(0, half), records.slice(half)]) await this.moveAll(part);
      return;
    }
    await this.move(records);
  }

  private async move(records: LiveRecord[]): Promise<void> {
    const batch = new IndexBatch(this.index);
    const whole = records.filter(({ stored, payload }) => {
      if (crc32(payload) === stored.entry.crc32) return true;
      this.log('A cached object no longer matches its checksum and is dropped', { path: stored.entry.path });
      batch.remove(stored.entry.path);
      return false;
    });
    const appendable = whole.map(({ stored, payload }) => {
      const header = encodeRecordHeader(Buffer.from(stored.entry.path), payload.length, stored.entry.crc32);
      return { buffers: [header, payload], sizeBytes: header.length + payload.length };
    });
    const bytes = appendable.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    this.storage.usage.reservedBytes += bytes;
    let places;
    try {
      places = await this.storage.segments.append(appendable);
    } catch (error) {
      this.storage.usage.reservedBytes -= bytes;
      throw error;
    }
    whole.forEach(({ stored }, i) => {
      const place = places[i];
      if (place) batch.set({ ...stored, location: { kind: 'segment', ...place } });
    });
    await this.storage.settle(await this.index.commit(batch));
  }
}

async function readWindow(handle: FileHandle, offset: number, length: number): Promise<Buffer> {
  // Not from the shared pool: writev receives the payloads as parts of this buffer.
  const window = Buffer.allocUnsafeSlow(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await handle.read(window, filled, length - filled, offset + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return window.subarray(0, filled);
}
