import type { BigIntStats } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { UfsError, type UfsLocalFile, type UfsObject, type UfsReadOptions } from '../types.js';
import { guarded } from '../progress-guard.js';
import { toUfsError } from './file-errors.js';
import { assertUnchanged, checkedObject, openInside } from './file-reader.js';
import type { FilePath, MountRoot } from './mount-root.js';

/** A file of a local file system, opened to be copied by its descriptor. */
export async function openLocalFile(
  root: MountRoot,
  path: FilePath,
  { expectedVersion, signal }: Pick<UfsReadOptions, 'expectedVersion' | 'signal'>,
  idleTimeoutMs: number,
): Promise<UfsLocalFile> {
  return await guarded(path.uri, idleTimeoutMs, signal, async (guard) => {
    const handle = await openInside(root, path);
    try {
      const before = await handle.stat({ bigint: true });
      const object = checkedObject(path, before, expectedVersion);
      // The caller may have an error already. Then this must close the file, because the caller does not get it.
      guard.beat();
      return new LocalFile(handle, object, before);
    } catch (error) {
      await handle.close();
      throw toUfsError(error, path.uri);
    }
  });
}

class LocalFile implements UfsLocalFile {
  readonly fd: number;

  constructor(
    private readonly handle: FileHandle,
    readonly object: UfsObject,
    private readonly before: BigIntStats,
  ) {
    this.fd = handle.fd;
  }

  async confirm(): Promise<void> {
    const { path } = this.object;
    try {
      assertUnchanged(path, this.before, await this.handle.stat({ bigint: true }));
    } catch (error) {
      throw toUfsError(error, path);
    }
  }

  faultOf(error: unknown): unknown {
    const { path, sizeBytes } = this.object;
    if (!(error instanceof RangeError)) return toUfsError(error, path);
    return new UfsError('Truncated', path, `The file ended before its ${sizeBytes} bytes: ${path}.`);
  }

  async close(): Promise<void> {
    await this.handle.close();
  }
}
