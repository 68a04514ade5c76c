/** Unused buffers are let go after this time. */
const keptMs = 5_000;

/**
 * Buffers of one size that are used again and again. A new buffer of several megabytes for each part would have the
 * garbage collector run all the time, since memory outside of its heap counts as well. Their memory is shared, so that the
 * threads of the cache can write it.
 */
export class PartBuffers {
  private readonly free: Buffer[] = [];
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly sizeBytes: number) {}

  /** Lends a buffer. Code that still used it after the return would meet the bytes of another part. */
  async lend<T>(use: (buffer: Buffer) => Promise<T>): Promise<T> {
    const buffer = this.free.pop() ?? Buffer.from(new SharedArrayBuffer(this.sizeBytes));
    try {
      return await use(buffer);
    } finally {
      this.free.push(buffer);
      this.timer ??= setTimeout(() => this.letGo(), keptMs).unref();
    }
  }

  private letGo(): void {
    this.timer = undefined;
    this.free.length = 0;
  }
}
