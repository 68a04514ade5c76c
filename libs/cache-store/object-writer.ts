import { type FileHandle } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { asDiskFullError, type Committer } from './committer.js';
import { isDiskFull } from './disk-errors.js';
import { type Mutex } from './mutex.js';
import { type Space } from './space.js';
import { type Storage } from './storage.js';
import { type CacheEntry, type CacheWriter, type NewObject } from './types.js';

/** Network chunks are small; writes of this size cost far fewer trips to the thread pool. */
const BUFFER_BYTES = 1 << 20;

export interface WriterParts {
  mutex: Mutex;
  space: Space;
  storage: Storage;
  committer: Committer;
  /** Tells the store that the writer has ended, one way or the other. */
  onEnd(writer: ObjectWriter): void;
}

/** Streams one large object into `tmp/`; its space is reserved from the start. Calls are to be made one at a time. */
export class ObjectWriter implements CacheWriter {
  private buffer: Buffer;
  private filled = 0;
  private writtenBytes = 0;
  private receivedBytes = 0;
  private checksum = 0;
  private state: 'open' | 'committing' | 'ended' = 'open';
  private published = false;
  /** Resolves when the writer has nothing under way and nothing reserved any more. */
  readonly ended: Promise<void>;
  private resolveEnded!: () => void;

  private constructor(
    private readonly parts: WriterParts,
    private readonly object: NewObject,
    private readonly sizeBytes: number,
    private readonly objectId: number,
    private readonly handle: FileHandle,
  ) {
    this.buffer = Buffer.allocUnsafe(Math.min(BUFFER_BYTES, sizeBytes));
    this.ended = new Promise((resolve) => (this.resolveEnded = resolve));
  }

  /** @throws CacheFullError, DiskFullError */
  static async open(parts: WriterParts, object: NewObject, sizeBytes: number): Promise<ObjectWriter> {
    const need = { bytes: sizeBytes, packed: false, object };
    await parts.mutex.run(() => parts.space.reserve(need));
    try {
      const { objectId, handle } = await parts.storage.objects.createTemporary();
      return new ObjectWriter(parts, object, sizeBytes, objectId, handle);
    } catch (error) {
      parts.storage.usage.reservedBytes -= sizeBytes;
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

  async commit(): Promise<CacheEntry> {
    this.assertOpen();
    try {
      if (this.receivedBytes !== this.sizeBytes) {
        throw new Error(`${this.object.path}: ${this.receivedBytes} of ${this.sizeBytes} bytes were written`);
      }
      await this.flush();
      this.state = 'committing';
      await this.handle.datasync();
      await this.handle.close();
      await this.parts.storage.objects.publish(this.objectId);
      this.published = true;
      const content = { sizeBytes: this.sizeBytes, crc32: this.checksum };
      const entry = await this.parts.committer.publish(this.object, content, this.objectId, () => this.end());
      return entry;
    } catch (error) {
      if (this.state === 'committing') this.state = 'open';
      await this.abort();
      throw asDiskFullError(error);
    }
  }

  async abort(): Promise<void> {
    // A commit under way can no longer be called off: it ends by itself, one way or the other.
    if (this.state !== 'open') return;
    this.state = 'committing';
    const { objects } = this.parts.storage;
    try {
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
    this.parts.storage.usage.reservedBytes -= this.sizeBytes;
    this.resolveEnded();
    this.parts.onEnd(this);
  }

  private assertOpen(): void {
    if (this.state !== 'open') throw new Error(`${this.object.path}: the writer has ended`);
  }

  private async flush(): Promise<void> {
    if (this.filled === 0) return;
    const bytes = this.buffer.subarray(0, this.filled);
    this.filled = 0;
    await this.writeOut(bytes);
  }

  private async writeOut(bytes: Buffer): Promise<void> {
    try {
      await this.writeFully(bytes);
    } catch (error) {
      if (!isDiskFull(error)) throw error;
      const { mutex, space } = this.parts;
      const bytesToCome = this.sizeBytes - this.writtenBytes;
      await mutex.run(() => space.freeDisk({ bytes: bytesToCome, packed: false, object: this.object }));
      await this.writeFully(bytes);
    }
    this.writtenBytes += bytes.length;
  }

  /** From `writtenBytes` on, so that a second attempt overwrites what the first got down. */
  private async writeFully(bytes: Buffer): Promise<void> {
    for (let done = 0; done < bytes.length;) {
      const { bytesWritten } = await this.handle.write(bytes, done, bytes.length - done, this.writtenBytes + done);
      done += bytesWritten;
    }
  }
}
