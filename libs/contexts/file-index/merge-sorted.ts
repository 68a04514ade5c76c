/**
 * Merges ascending streams of distinct paths into one, in the order of their UTF-8 bytes. Each path appears once. Holds
 * one path of each stream in memory.
 */
export async function* mergeSorted(streams: readonly AsyncIterable<string>[]): AsyncGenerator<string> {
  const heads = await Promise.all(streams.map((stream) => Head.open(stream)));
  const live = heads.filter((head) => head !== undefined);
  try {
    while (live.length > 0) {
      const least = live.reduce((a, b) => (Buffer.compare(b.bytes, a.bytes) < 0 ? b : a));
      const { path, bytes } = least;
      yield path;
      for (const head of [...live]) {
        if (Buffer.compare(head.bytes, bytes) === 0 && !(await head.advance())) live.splice(live.indexOf(head), 1);
      }
    }
  } finally {
    await Promise.all(live.map((head) => head.close()));
  }
}

class Head {
  private constructor(
    private readonly iterator: AsyncIterator<string>,
    public path: string,
    public bytes: Buffer,
  ) {}

  static async open(stream: AsyncIterable<string>): Promise<Head | undefined> {
    const iterator = stream[Symbol.asyncIterator]();
    const first = await iterator.next();
    return first.done ? undefined : new Head(iterator, first.value, Buffer.from(first.value));
  }

  async advance(): Promise<boolean> {
    const next = await this.iterator.next();
    if (next.done) return false;
    this.path = next.value;
    this.bytes = Buffer.from(next.value);
    return true;
  }

  async close(): Promise<void> {
    await this.iterator.return?.();
  }
}
