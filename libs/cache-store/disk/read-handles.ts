import { type FileHandle } from 'node:fs/promises';

const MAX_IDLE = 64;

export interface OpenFile {
  handle: FileHandle;
  /** Call this instead of closing the handle. */
  release: () => Promise<void>;
}

interface Shared {
  handle: Promise<FileHandle>;
  users: number;
}

/** Keeps some files open between reads: for small objects, opening and closing costs more than reading. */
export class ReadHandles {
  /** Least recently used first. */
  private readonly shared = new Map<number, Shared>();
  private closed = false;

  constructor(private readonly openFile: (fileId: number) => Promise<FileHandle>) {}

  async acquire(fileId: number): Promise<OpenFile> {
    const file = this.shared.get(fileId) ?? { handle: this.openFile(fileId), users: 0 };
    this.shared.delete(fileId);
    this.shared.set(fileId, file);
    file.users++;
    try {
      return { handle: await file.handle, release: () => this.release(fileId, file) };
    } catch (error) {
      if (this.shared.get(fileId) === file) this.shared.delete(fileId);
      throw error;
    }
  }

  /** Call this before the file is removed: its space is free only when it is closed. */
  async drop(fileId: number): Promise<void> {
    const file = this.shared.get(fileId);
    this.shared.delete(fileId);
    if (file?.users === 0) await (await file.handle).close();
  }

  /** Closes idle handles now, and the others when they are released. */
  async close(): Promise<void> {
    this.closed = true;
    for (const fileId of [...this.shared.keys()]) await this.drop(fileId);
  }

  private async release(fileId: number, file: Shared): Promise<void> {
    if (--file.users > 0) return;
    if (this.closed || this.shared.get(fileId) !== file) {
      if (this.shared.get(fileId) === file) this.shared.delete(fileId);
      await (await file.handle).close();
    } else if (this.shared.size > MAX_IDLE) {
      await this.dropOldestIdle();
    }
  }

  private async dropOldestIdle(): Promise<void> {
    for (const [fileId, { users }] of this.shared) if (users === 0) return this.drop(fileId);
  }
}
