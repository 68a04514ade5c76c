import { type FileHandle } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { crc32 } from 'node:zlib';
import { type OpenFile } from '../disk/read-handles.js';
import { payloadOffset } from '../disk/record.js';
import { type StoredEntry } from '../entries/entry-codec.js';
import { type Storage } from '../space/storage.js';
import { CorruptObjectError, type CacheEntry, type CacheRead } from '../types.js';

const CHUNK_BYTES = 1 << 20;

/** The bytes of one entry within a file that is pinned against removal. */
export interface PinnedBytes {
  open(): Promise<OpenFile>;
  /** Of the first byte within the file. */
  offset: number;
  unpin(): void;
}

/** Pins the file of an entry as it is now; undefined for metadata only. Call this in the turn that read the entry. */
export function pinBytes(storage: Storage, { entry, location }: StoredEntry): PinnedBytes | undefined {
  switch (location.kind) {
    case 'none':
      return undefined;
    case 'object': {
      const { objects } = storage;
      const unpin = objects.pins.pin(location.objectId);
      return { open: () => objects.openForReading(location.objectId), offset: 0, unpin };
    }
    case 'segment': {
      const { segments } = storage;
      const unpin = segments.pins.pin(location.segmentId);
      const offset = location.offset + payloadOffset(Buffer.byteLength(entry.path));
      return { open: () => segments.openForReading(location.segmentId), offset, unpin };
    }
  }
}

export class PinnedRead implements CacheRead {
  private used = false;

  constructor(
    readonly entry: CacheEntry,
    private readonly bytes: PinnedBytes,
  ) {}

  stream(range?: { start: number; end: number }): Readable {
    if (this.used) throw new Error(`${this.entry.path}: the read was streamed or closed already`);
    const { sizeBytes } = this.entry;
    const start = range?.start ?? 0;
    const end = Math.min(range?.end ?? sizeBytes - 1, sizeBytes - 1);
    if (range && (start < 0 || start > end || !Number.isSafeInteger(start) || !Number.isSafeInteger(end))) {
      throw new RangeError(`${this.entry.path}: no bytes ${start}–${range.end} in ${sizeBytes}`);
    }
    this.used = true;
    return new PinnedStream(this.entry, this.bytes, start, end + 1);
  }

  close(): Promise<void> {
    if (!this.used) this.bytes.unpin();
    this.used = true;
    return Promise.resolve();
  }
}

/**
 * Reads `start..end` (exclusive). A whole read ends only after its checksum was found right: the last chunk waits for
 * it.
 */
class PinnedStream extends Readable {
  private file: OpenFile | undefined;
  private reading: Promise<void> = Promise.resolve();
  private checksum = 0;

  constructor(
    private readonly entry: CacheEntry,
    private readonly bytes: PinnedBytes,
    private position: number,
    private readonly end: number,
  ) {
    super({ highWaterMark: CHUNK_BYTES });
    this.verify = position === 0 && end === entry.sizeBytes;
  }

  private readonly verify: boolean;

  override _read(): void {
    this.reading = this.readChunk().then(
      (chunk) => {
        this.push(chunk);
        if (chunk !== null && this.position === this.end) this.push(null);
      },
      (error: unknown) => void this.destroy(error as Error),
    );
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    // A running read still uses the handle.
    void this.reading
      .then(() => this.file?.release())
      .then(
        () => callback(error),
        (closeError: unknown) => callback(error ?? (closeError as Error)),
      )
      .finally(() => this.bytes.unpin());
  }

  /** Null for an object without bytes. */
  private async readChunk(): Promise<Buffer | null> {
    const length = Math.min(CHUNK_BYTES, this.end - this.position);
    const chunk = Buffer.allocUnsafe(length);
    if (length > 0) {
      this.file ??= await this.bytes.open();
      await readFully(this.file.handle, chunk, this.bytes.offset + this.position, this.entry.path);
    }
    this.position += length;
    if (this.verify) {
      this.checksum = crc32(chunk, this.checksum);
      if (this.position === this.end && this.checksum !== this.entry.crc32) throw corrupt(this.entry.path);
    }
    return length === 0 ? null : chunk;
  }
}

export async function readFully(handle: FileHandle, into: Buffer, offset: number, path: string): Promise<void> {
  for (let filled = 0; filled < into.length;) {
    const { bytesRead } = await handle.read(into, filled, into.length - filled, offset + filled);
    if (bytesRead === 0) throw new CorruptObjectError(`${path}: the file on disk is shorter than recorded`);
    filled += bytesRead;
  }
}

function corrupt(path: string): CorruptObjectError {
  return new CorruptObjectError(`${path}: the bytes on disk do not match their checksum`);
}
