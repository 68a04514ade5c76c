import { type FileHandle } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { type CopyTask } from '../copying/copy-loop.js';
import { type CopyThreads } from '../copying/copy-threads.js';
import { type Committer } from './committer.js';
import { combineCrc32 } from './crc32-combine.js';
import { asDiskFullError, isDiskFull } from '../disk/disk-errors.js';
import { type Admission } from '../space/admission.js';
import { type DiskRoom } from '../disk/disk-room.js';
import { type Mutex } from '../space/mutex.js';
import { type Space } from '../space/space.js';
import { type Storage } from '../space/storage.js';
import { type CacheEntry, type CacheWriter, type NewObject, type PartSource, type WriteOptions } from '../types.js';

/** Network chunks are small; writes of this size cost far fewer trips to the thread pool. */
const BUFFER_BYTES = 1 << 20;
/** How often a write is tried while other programs fill the disk. */
const MAX_ATTEMPTS = 4;
/** The disk begins to write after so many bytes, instead of all at the end. */
const SYNC_BYTES = 64 << 20;

export interface WriterParts {
  mutex: Mutex;
  space: Space;
  storage: Storage;
  committer: Committer;
  admission: Admission;
  disk: DiskRoom;
  copyThreads: CopyThreads;
  /** Called when the writer has ended, by success or failure. */
  onEnd(writer: ObjectWriter): void;
}

interface WrittenPart {
  readonly offset: number;
  readonly length: number;
  readonly crc32: number;
}

/**
 * Writes one large object into `tmp/`; its space is reserved from the start. Chunks come one call at a time, parts may come
 * several at once.
 */
export class ObjectWriter implements CacheWriter {
  private buffer: Buffer;
  private filled = 0;
  private writtenBytes = 0;
  private receivedBytes = 0;
  private checksum = 0;
  private readonly parts: WrittenPart[] = [];
  /** Threads use the file by its descriptor: it must not be closed before they are done. */
  private readonly copying = new Set<Promise<unknown>>();
  private unsyncedBytes = 0;
  private syncing: Promise<void> | undefined;
  /** Why this writer gave up by itself. */
  private failure: unknown;
  private state: 'open' | 'committing' | 'ended' = 'open';
  private published = false;
  /** Resolves when the writer has no running work and no reservation left. */
  readonly ended: Promise<void>;
  private resolveEnded!: () => void;

  private constructor(
    private readonly store: WriterParts,
    private readonly object: NewObject,
    private readonly sizeBytes: number,
    private readonly objectId: number,
    private readonly handle: FileHandle,
  ) {
    this.buffer = Buffer.allocUnsafe(Math.min(BUFFER_BYTES, sizeBytes));
    this.ended = new Promise((resolve) => (this.resolveEnded = resolve));
  }

  /** @throws CacheFullError, DiskFullError, the signal's reason */
  static async open(
    parts: WriterParts,
    object: NewObject,
    sizeBytes: number,
    { signal }: WriteOptions = {},
  ): Promise<ObjectWriter> {
    const need = { bytes: sizeBytes, packed: false, object };
    await parts.admission.enter(object, () => parts.mutex.run(() => parts.space.reserve(need)), signal);
    try {
      const { objectId, handle } = await parts.storage.objects.createTemporary();
      return new ObjectWriter(parts, object, sizeBytes, objectId, handle);
    } catch (error) {
      parts.space.giveBack(need);
      parts.admission.noteDeparture();
      throw asDiskFullError(error);
    }
  }

  async write(chunk: Buffer): Promise<void> {
    this.assertOpen();
    try {
      this.receivedBytes += chunk.length;
      if (this.receivedBytes > this.sizeBytes) {
        throw new Error(`${this.object.path}: more than the ${this.sizeBytes} bytes announced were written`);
      }
      this.checksum = crc32(chunk, this.checksum);
      if (this.filled + chunk.length > this.buffer.length) await this.flush();
      if (chunk.length >= this.buffer.length) {
        await this.writeOut(chunk);
      } else {
        chunk.copy(this.buffer, this.filled);
        this.filled += chunk.length;
      }
    } catch (error) {
      await this.abort();
      throw asDiskFullError(error);
    }
  }

  async writePart(offset: number, bytes: Buffer): Promise<void> {
    await this.addPart(offset, bytes.length, async () => {
      if (isShared(bytes)) return this.put(() => this.copy(offset, bytes.length, bytes));
      const checksum = crc32(bytes);
      await this.writeOut(bytes, offset);
      return checksum;
    });
  }

  async copyPart(offset: number, length: number, source: PartSource): Promise<void> {
    await this.addPart(offset, length, () => this.put(() => this.copy(offset, length, source)));
  }

  /** @param write puts the part into the file and returns its CRC-32 */
  private async addPart(offset: number, length: number, write: () => Promise<number>): Promise<void> {
    this.assertOpen();
    try {
      this.receivedBytes += length;
      if (offset < 0 || offset + length > this.sizeBytes) {
        throw new Error(`${this.object.path}: a part lies outside of the ${this.sizeBytes} bytes announced`);
      }
      this.parts.push({ offset, length, crc32: await write() });
    } catch (error) {
      // The part that met the full disk closes the file: the others then fail for that reason alone.
      this.failure ??= error;
      const first = this.failure;
      await this.abort();
      throw asDiskFullError(first);
    }
  }

  async commit(): Promise<CacheEntry> {
    this.assertOpen();
    try {
      if (this.receivedBytes !== this.sizeBytes) {
        throw new Error(`${this.object.path}: ${this.receivedBytes} of ${this.sizeBytes} bytes were written`);
      }
      await this.flush();
      if (this.parts.length > 0) this.checksum = this.checksumOfParts();
      this.state = 'committing';
      // The operating system reports a disk error only once, to the first sync after it.
      await this.syncing;
      await this.handle.datasync();
      await this.handle.close();
      await this.store.storage.objects.publish(this.objectId);
      this.published = true;
      const content = { sizeBytes: this.sizeBytes, crc32: this.checksum };
      const entry = await this.store.committer.publish(this.object, content, this.objectId, () => this.end());
      return entry;
    } catch (error) {
      if (this.state === 'committing') this.state = 'open';
      await this.abort();
      throw asDiskFullError(error);
    }
  }

  async abort(): Promise<void> {
    // A running commit can no longer be cancelled: it ends by itself, by success or failure.
    if (this.state !== 'open') return;
    this.state = 'committing';
    const { objects } = this.store.storage;
    try {
      await Promise.allSettled(this.copying);
      await this.handle.close();
      if (this.published) await objects.unpublish(this.objectId);
      else await objects.removeTemporary(this.objectId);
    } finally {
      this.end();
    }
  }

  /** Gives the reservation back; on success in the same turn as the object's bytes are counted. */
  private end(): void {
    if (this.state === 'ended') return;
    this.state = 'ended';
    this.buffer = Buffer.alloc(0);
    this.store.space.giveBack({ bytes: this.sizeBytes, packed: false });
    this.store.storage.usage.writtenBytes -= this.writtenBytes;
    this.resolveEnded();
    this.store.onEnd(this);
    this.store.admission.noteDeparture();
  }

  private assertOpen(): void {
    if (this.state === 'open') return;
    if (this.failure !== undefined) throw asDiskFullError(this.failure);
    throw new Error(`${this.object.path}: the writer has ended`);
  }

  private async flush(): Promise<void> {
    if (this.filled === 0) return;
    const bytes = this.buffer.subarray(0, this.filled);
    this.filled = 0;
    await this.writeOut(bytes);
  }

  private checksumOfParts(): number {
    let end = 0;
    let checksum = 0;
    for (const { offset, length, crc32 } of this.parts.sort((a, b) => a.offset - b.offset)) {
      if (offset !== end) throw new Error(`${this.object.path}: the parts do not join at byte ${end}`);
      checksum = combineCrc32(checksum, crc32, length);
      end += length;
    }
    return checksum;
  }

  /** @param position default: behind what has been written */
  private async writeOut(bytes: Buffer, position = this.writtenBytes): Promise<void> {
    await this.put(() => this.writeFully(bytes, position));
  }

  /** Tries again when the disk is full and room can be made. */
  private async put<T>(write: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.store.disk.write(write);
      } catch (error) {
        if (!isDiskFull(error) || attempt === MAX_ATTEMPTS) throw error;
        await this.store.mutex.run(() => this.makeRoomAgain());
      }
    }
  }

  /**
   * Another program has used space that this writer was promised. When the rest is too small for all running writers,
   * this one gives up. Its file is removed before the next one checks: one file less each time, until the others fit.
   * @throws CacheFullError, DiskFullError
   */
  private async makeRoomAgain(): Promise<void> {
    const bytes = this.sizeBytes - this.writtenBytes;
    try {
      await this.store.space.reserveAgain({ bytes, packed: false, object: this.object });
    } catch (error) {
      this.failure ??= error;
      await this.abort();
      throw error;
    }
  }

  /** A second attempt overwrites what the first one wrote. */
  private async writeFully(bytes: Buffer, position: number): Promise<void> {
    for (let done = 0; done < bytes.length;) {
      const { bytesWritten } = await this.handle.write(bytes, done, bytes.length - done, position + done);
      done += bytesWritten;
    }
    this.noteWritten(bytes.length);
  }

  private async copy(offset: number, length: number, source: CopyTask['source']): Promise<number> {
    this.assertOpen();
    const copying = this.store.copyThreads.copy({
      source,
      target: this.handle.fd,
      targetPosition: offset,
      length,
    });
    this.copying.add(copying);
    try {
      const { copiedBytes, crc32 } = await copying;
      if (copiedBytes < length)
        throw new RangeError(`${this.object.path}: ${copiedBytes} of ${length} bytes were there`);
      this.noteWritten(length);
      return crc32;
    } finally {
      this.copying.delete(copying);
    }
  }

  private noteWritten(bytes: number): void {
    this.writtenBytes += bytes;
    this.store.storage.usage.writtenBytes += bytes;
    this.unsyncedBytes += bytes;
    if (this.unsyncedBytes < SYNC_BYTES || this.syncing !== undefined || this.state !== 'open') return;
    this.unsyncedBytes = 0;
    const syncing = this.handle.datasync().then(() => void (this.syncing = undefined));
    // `commit` meets the error: it stays in `syncing`.
    syncing.catch(() => undefined);
    this.syncing = syncing;
  }
}

/** Such memory can be handed to a thread without a copy. */
function isShared(bytes: Uint8Array): bytes is Uint8Array<SharedArrayBuffer> {
  return bytes.buffer instanceof SharedArrayBuffer;
}
