import { type Committer } from './committer.js';
import { type CacheEntry, type CacheWriter, type NewObject, type WriteOptions } from '../types.js';

/** A writer for an object small enough to share a segment: gathered in memory, stored like a `put`. */
export class PackedWriter implements CacheWriter {
  private buffer: Buffer | undefined;
  private filled = 0;

  constructor(
    private readonly committer: Committer,
    private readonly object: NewObject,
    private readonly sizeBytes: number,
    private readonly options: WriteOptions = {},
  ) {
    this.buffer = Buffer.allocUnsafe(sizeBytes);
  }

  write(chunk: Buffer): Promise<void> {
    const buffer = this.buffer;
    if (buffer === undefined) return Promise.reject(new Error(`${this.object.path}: the writer has ended`));
    if (this.filled + chunk.length > this.sizeBytes) {
      this.buffer = undefined;
      return Promise.reject(
        new Error(`${this.object.path}: more than the ${this.sizeBytes} bytes announced were written`),
      );
    }
    chunk.copy(buffer, this.filled);
    this.filled += chunk.length;
    return Promise.resolve();
  }

  /** @throws Error always: objects this small come in one piece */
  writePart(): Promise<void> {
    return Promise.reject(new Error(`${this.object.path}: a small object is not written in parts`));
  }

  /** @throws Error always, as `writePart` */
  copyPart(): Promise<void> {
    return this.writePart();
  }

  async commit(): Promise<CacheEntry> {
    const buffer = this.buffer;
    this.buffer = undefined;
    if (buffer === undefined) throw new Error(`${this.object.path}: the writer has ended`);
    if (this.filled !== this.sizeBytes) {
      throw new Error(`${this.object.path}: ${this.filled} of ${this.sizeBytes} bytes were written`);
    }
    return this.committer.put(this.object, buffer, this.options);
  }

  abort(): Promise<void> {
    this.buffer = undefined;
    return Promise.resolve();
  }
}
