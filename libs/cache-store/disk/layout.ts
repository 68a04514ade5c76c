import { open, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PRIVATE_DIRECTORY_MODE, PRIVATE_FILE_MODE } from '#private-files';
import { CacheOpenError } from '../types.js';

/** Raise it when a build can no longer read what an older one wrote, or the other way round. */
export const FORMAT_VERSION = 2;

/** A worker keeps its identity and its notes in the same directory as the cache. */
const workersNames =
  /^(lock(\..*)?|(format|identity|log-mark|keeps|stores)\.json(\..*)?|index(\.\w+)?|segments|objects|tmp|running|progress)$/;

/** Whether a name in a cache directory is that of a worker's file. */
export function isWorkersFile(name: string): boolean {
  return workersNames.test(name);
}

/** Where things lie below the cache directory. No name here is ever derived from a cached path. */
export class CacheLayout {
  readonly lock: string;
  readonly format: string;
  readonly index: string;
  readonly quarantine: string;
  readonly segments: string;
  readonly objects: string;
  readonly tmp: string;
  readonly keeps: string;

  constructor(readonly directory: string) {
    this.lock = join(directory, 'lock');
    this.format = join(directory, 'format.json');
    this.index = join(directory, 'index');
    this.quarantine = join(directory, 'index.quarantined');
    this.segments = join(directory, 'segments');
    this.objects = join(directory, 'objects');
    this.tmp = join(directory, 'tmp');
    this.keeps = join(directory, 'keeps.json');
  }

  segmentFile(segmentId: number): string {
    return join(this.segments, `${String(segmentId).padStart(8, '0')}.seg`);
  }

  /** One of 256 folders, so that no single one gets millions of names. */
  objectFolder(objectId: number): string {
    return join(this.objects, (objectId % 256).toString(16).padStart(2, '0'));
  }

  objectFile(objectId: number): string {
    return join(this.objectFolder(objectId), objectId.toString(16).padStart(14, '0'));
  }

  tmpFile(objectId: number): string {
    return join(this.tmp, objectId.toString(16).padStart(14, '0'));
  }

  /**
   * Makes the folders and checks the format. Returns the directory's format.
   * @throws CacheOpenError when a newer version wrote the directory.
   */
  async prepare(): Promise<{ format: number }> {
    const version = await this.readFormat();
    if (version !== undefined && version > FORMAT_VERSION) {
      throw new CacheOpenError(
        `${this.directory} has cache format ${version}; this build reads up to ${FORMAT_VERSION}. Use a newer build or an empty directory.`,
      );
    }
    for (const folder of [this.segments, this.objects, this.tmp]) {
      await mkdir(folder, { recursive: true, mode: PRIVATE_DIRECTORY_MODE });
    }
    if (version === undefined) await this.writeFormat();
    else await syncDirectory(this.directory);
    return { format: version ?? FORMAT_VERSION };
  }

  /** Marks the directory as of this build's format. Durable when it resolves. */
  async writeFormat(): Promise<void> {
    const temporary = `${this.format}.new`;
    await writeFile(temporary, JSON.stringify({ format: FORMAT_VERSION }) + '\n', {
      flush: true,
      mode: PRIVATE_FILE_MODE,
    });
    await rename(temporary, this.format);
    await syncDirectory(this.directory);
  }

  private async readFormat(): Promise<number | undefined> {
    let text: string;
    try {
      text = await readFile(this.format, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
    let format: unknown;
    try {
      format = (JSON.parse(text) as { format?: unknown } | null)?.format;
    } catch (error) {
      throw new CacheOpenError(`${this.format} is not JSON`, { cause: error });
    }
    if (typeof format !== 'number') throw new CacheOpenError(`${this.format} names no format version`);
    return format;
  }
}

/** Makes names added to or removed from a directory durable: POSIX requires an fsync of the directory for that. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
