/** The latest bytes of a download, which readers that keep up share. Holds at most one chunk more than `minBytes`. */
export class Window {
  private readonly chunks: { start: number; bytes: Buffer }[] = [];
  private held = 0;
  /** Bytes received in all. */
  received = 0;

  constructor(private readonly minBytes: number) {}

  /** Offset of the first byte that is still here. */
  get start(): number {
    return this.received - this.held;
  }

  push(bytes: Buffer): void {
    this.chunks.push({ start: this.received, bytes });
    this.received += bytes.length;
    this.held += bytes.length;
    while (this.chunks.length > 1 && this.held - this.chunks[0].bytes.length >= this.minBytes) {
      this.held -= this.chunks.shift()!.bytes.length;
    }
  }

  /** Bytes from `offset`, which must lie between `start` and `end`, up to at most `end` (exclusive). */
  slice(offset: number, end: number): Buffer {
    const chunk = this.chunks.findLast(({ start }) => start <= offset);
    if (!chunk) throw new RangeError(`byte ${offset} is not in the window from ${this.start}`);
    return chunk.bytes.subarray(offset - chunk.start, end - chunk.start);
  }
}
