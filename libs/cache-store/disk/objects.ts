import { mkdir, open, rename, rm, type FileHandle } from 'node:fs/promises';
import { PRIVATE_DIRECTORY_MODE, PRIVATE_FILE_MODE } from '#private-files';
import { syncDirectory, type CacheLayout } from './layout.js';
import { FilePins } from './pins.js';
import { type OpenFile } from './read-handles.js';
import { type Usage } from './usage.js';

/** The large objects, one file each, named by a generated number. */
export class ObjectFiles {
  readonly pins = new FilePins();
  private nextId = 1;
  private readonly folders = new Set<string>();

  constructor(
    private readonly layout: CacheLayout,
    private readonly usage: Usage,
    private readonly onRemoveError: (file: string, error: unknown) => void,
  ) {}

  /** Registers a file found at opening. */
  adopt(objectId: number, sizeBytes: number): void {
    this.nextId = Math.max(this.nextId, objectId + 1);
    this.usage.objectBytes += sizeBytes;
  }

  async createTemporary(): Promise<{ objectId: number; handle: FileHandle }> {
    const objectId = this.nextId++;
    return { objectId, handle: await open(this.layout.tmpFile(objectId), 'wx', PRIVATE_FILE_MODE) };
  }

  async removeTemporary(objectId: number): Promise<void> {
    await rm(this.layout.tmpFile(objectId), { force: true });
  }

  /** Gives a complete, synced temporary file its final name, durably. The index does not refer to it yet. */
  async publish(objectId: number): Promise<void> {
    const folder = this.layout.objectFolder(objectId);
    if (!this.folders.has(folder)) {
      await mkdir(folder, { recursive: true, mode: PRIVATE_DIRECTORY_MODE });
      await syncDirectory(this.layout.objects);
      this.folders.add(folder);
    }
    await rename(this.layout.tmpFile(objectId), this.layout.objectFile(objectId));
    await syncDirectory(folder);
  }

  /** Takes back a published file that the index never referred to. */
  async unpublish(objectId: number): Promise<void> {
    await rm(this.layout.objectFile(objectId), { force: true });
  }

  /** Counts a published file that the index refers to from now on. */
  retain(sizeBytes: number): void {
    this.usage.objectBytes += sizeBytes;
  }

  /** The index, durably, no longer refers to the file: removes it now, or when its last reader is done. */
  async release(objectId: number, sizeBytes: number): Promise<void> {
    if (this.pins.has(objectId)) this.pins.whenFree(objectId, () => void this.remove(objectId, sizeBytes));
    else await this.remove(objectId, sizeBytes);
  }

  /** Opens an object file for reading; the caller holds a pin on it. */
  async openForReading(objectId: number): Promise<OpenFile> {
    const handle = await open(this.layout.objectFile(objectId), 'r');
    return { handle, release: () => handle.close() };
  }

  private async remove(objectId: number, sizeBytes: number): Promise<void> {
    const file = this.layout.objectFile(objectId);
    try {
      await rm(file, { force: true });
      this.usage.objectBytes -= sizeBytes;
    } catch (error) {
      this.onRemoveError(file, error);
    }
  }
}
