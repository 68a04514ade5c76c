import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import { generatedContent } from './generated-content.js';
import { S3Error } from './s3-error.js';

export interface StoredObject {
  key: string;
  sizeBytes: number;
  /** Without quotes. */
  etag: string;
  lastModified: Date;
  /** `content-type` and `x-amz-meta-*` of the upload. */
  headers: Record<string, string>;
  /** Bytes `start` to `end`, both inclusive. */
  read(start: number, end: number): Iterable<Buffer> | AsyncIterable<Buffer>;
}

export interface Bucket {
  find(key: string): Promise<StoredObject | undefined>;
  put(key: string, bytes: Buffer, etag: string, headers: Record<string, string>, lastModified?: Date): Promise<void>;
  delete(key: string): Promise<void>;
  /**
   * All objects, ascending by the UTF-8 bytes of their keys.
   * @param fresh false for the further pages of a listing: then an older result may be returned
   */
  sorted(fresh: boolean): Promise<readonly StoredObject[]>;
}

export const md5 = (bytes: Buffer | string): string => createHash('md5').update(bytes).digest('hex');

/** Objects in memory, or with content that is generated when they are read. */
export class MemoryBucket implements Bucket {
  private readonly objects = new Map<string, StoredObject>();
  private order: StoredObject[] | undefined;

  find(key: string): Promise<StoredObject | undefined> {
    return Promise.resolve(this.objects.get(key));
  }

  put(
    key: string,
    bytes: Buffer,
    etag: string,
    headers: Record<string, string>,
    lastModified = new Date(),
  ): Promise<void> {
    this.set({
      key,
      sizeBytes: bytes.length,
      etag,
      headers,
      lastModified,
      read: (start, end) => [bytes.subarray(start, end + 1)],
    });
    return Promise.resolve();
  }

  /** An object whose bytes are `generatedContent(seed, sizeBytes)`; it takes no memory. */
  generate(key: string, sizeBytes: number, seed: number): void {
    let etag: string | undefined;
    this.set({
      key,
      sizeBytes,
      headers: {},
      lastModified: new Date(),
      get etag() {
        return (etag ??= generatedEtag(seed, sizeBytes));
      },
      read: (start, end) => generatedContent(seed, sizeBytes, start, end),
    });
  }

  delete(key: string): Promise<void> {
    this.objects.delete(key);
    this.order = undefined;
    return Promise.resolve();
  }

  sorted(): Promise<readonly StoredObject[]> {
    return Promise.resolve((this.order ??= sortByKey([...this.objects.values()])));
  }

  private set(object: StoredObject): void {
    this.objects.set(object.key, object);
    this.order = undefined;
  }
}

/**
 * The true MD5 for small objects. For others an ETag in the form of a multipart upload, which no client takes for an
 * MD5.
 */
function generatedEtag(seed: number, sizeBytes: number): string {
  const partBytes = 8 * 1024 * 1024;
  if (sizeBytes <= partBytes) return md5(Buffer.concat([...generatedContent(seed, sizeBytes)]));
  return `${md5(`${seed}:${sizeBytes}`)}-${Math.ceil(sizeBytes / partBytes)}`;
}

/** The files below a directory as objects, their paths as keys. Links and special files are not served. */
export class DirectoryBucket implements Bucket {
  private listing: readonly StoredObject[] = [];

  constructor(private readonly directory: string) {}

  async find(key: string): Promise<StoredObject | undefined> {
    const file = this.fileOf(key);
    try {
      const stats = await fs.lstat(file);
      return stats.isFile() ? fileObject(key, file, stats) : undefined;
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  async put(key: string, bytes: Buffer): Promise<void> {
    const file = this.fileOf(key);
    await fs.mkdir(path.dirname(file), { recursive: true });
    const temporary = `${file}.${process.pid}.tmp`;
    await fs.writeFile(temporary, bytes);
    await fs.rename(temporary, file);
  }

  async delete(key: string): Promise<void> {
    await fs.rm(this.fileOf(key), { force: true });
  }

  async sorted(fresh: boolean): Promise<readonly StoredObject[]> {
    if (!fresh) return this.listing;
    const entries = await fs.readdir(this.directory, { recursive: true, withFileTypes: true });
    const files = entries.filter((entry) => entry.isFile()).map((entry) => path.join(entry.parentPath, entry.name));
    const objects: StoredObject[] = [];
    for (const file of files) objects.push(fileObject(path.relative(this.directory, file), file, await fs.lstat(file)));
    return (this.listing = sortByKey(objects));
  }

  private fileOf(key: string): string {
    const plain = key.split('/').every((segment) => segment !== '' && segment !== '.' && segment !== '..');
    if (plain && !key.includes('\0')) return path.join(this.directory, key);
    throw new S3Error(400, 'InvalidArgument', 'A bucket kept in a directory cannot hold this key.');
  }
}

function isMissing(error: unknown): boolean {
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
  return code === 'ENOENT' || code === 'ENOTDIR';
}

function fileObject(key: string, file: string, stats: { size: number; mtimeMs: number; ino: number; mtime: Date }) {
  return {
    key,
    sizeBytes: stats.size,
    etag: `${md5(`${stats.mtimeMs}:${stats.size}:${stats.ino}`)}-1`,
    lastModified: stats.mtime,
    headers: {},
    read: (start: number, end: number): AsyncIterable<Buffer> =>
      end < start ? (async function* () {})() : createReadStream(file, { start, end, highWaterMark: 1024 * 1024 }),
  };
}

function sortByKey(objects: StoredObject[]): StoredObject[] {
  return objects
    .map((object) => ({ object, bytes: Buffer.from(object.key) }))
    .sort((a, b) => Buffer.compare(a.bytes, b.bytes))
    .map(({ object }) => object);
}
