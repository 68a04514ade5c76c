import type fileSystem from 'node:fs';

/** A stretch of an open file or of shared memory, and where in another open file it goes. */
export interface CopyTask {
  readonly source: { readonly fd: number; readonly position: number } | Uint8Array<SharedArrayBuffer>;
  readonly target: number;
  readonly targetPosition: number;
  readonly length: number;
}

/** What a thread answers to a task. */
export interface CopyAnswer {
  readonly id: number;
  /** Fewer than the task's `length` mean the end of the source, or an error. */
  readonly copiedBytes: number;
  /** Of the bytes that were copied. */
  readonly crc32: number;
  /** Errors lose their codes on the way between threads. So these are their fields. */
  readonly error?: { message: string; code?: string; errno?: number; syscall?: string };
}

export type CopyRequest = CopyTask & { readonly id: number };

/** What the loop needs of `node:worker_threads`, `node:fs` and `node:zlib`. */
export interface LoopParts {
  readonly port: {
    on(event: 'message', listener: (request: CopyRequest) => void): unknown;
    postMessage(answer: CopyAnswer): void;
  };
  readonly fs: Pick<typeof fileSystem, 'readSync' | 'writeSync'>;
  readonly crc32: (bytes: Uint8Array, before?: number) => number;
}

/**
 * What a thread does that copies: reads, checksums and writes block by block with blocking calls, so that a block is still
 * in the CPU's cache when it is written. Blocks are small since Linux takes larger pages for larger writes (large folios,
 * ext4 from 6.16, XFS): in a virtual machine those were two to four times as expensive.
 *
 * A thread gets the text of this function (`copy-threads.ts`), so that it needs no file of its own beside the bundles. The
 * function must therefore use nothing from outside of it.
 */
export function serveCopies({ port, fs, crc32 }: LoopParts): void {
  const block = new Uint8Array(128 * 1024);
  port.on('message', ({ id, source, target, targetPosition, length }) => {
    let copiedBytes = 0;
    let checksum = 0;
    try {
      while (copiedBytes < length) {
        const wanted = Math.min(block.length, length - copiedBytes);
        let bytes: Uint8Array;
        if ('fd' in source) {
          const read = fs.readSync(source.fd, block, 0, wanted, source.position + copiedBytes);
          if (read === 0) break;
          bytes = block.subarray(0, read);
        } else bytes = source.subarray(copiedBytes, copiedBytes + wanted);
        checksum = crc32(bytes, checksum);
        for (let written = 0; written < bytes.length;) {
          const position = targetPosition + copiedBytes + written;
          written += fs.writeSync(target, bytes, written, bytes.length - written, position);
        }
        copiedBytes += bytes.length;
      }
      port.postMessage({ id, copiedBytes, crc32: checksum });
    } catch (thrown) {
      const { message, code, errno, syscall } = thrown as NodeJS.ErrnoException;
      port.postMessage({ id, copiedBytes, crc32: checksum, error: { message, code, errno, syscall } });
    }
  });
}
