/**
 * Keeps objects that a page ended with, for the next page, by its cursor: the latest few, for a while. Only saves work:
 * a missing object is made again.
 */
export class Parked<T> {
  private readonly parked = new Map<string, { value: T; expiry: NodeJS.Timeout }>();

  constructor(
    private readonly atMost: number,
    private readonly forMs: number,
    private readonly dispose: (value: T) => void = () => undefined,
  ) {}

  /** Returns an object once: two readers of the same cursor must not share it. */
  take(start: string, cursor: string): T | undefined {
    const key = keyOf(start, cursor);
    const entry = this.parked.get(key);
    this.forget(key);
    return entry?.value;
  }

  park(start: string, cursor: string, value: T): void {
    const key = keyOf(start, cursor);
    this.drop(key);
    const expiry = setTimeout(() => this.drop(key), this.forMs).unref();
    this.parked.set(key, { value, expiry });
    const oldest = this.parked.keys().next();
    if (this.parked.size > this.atMost && !oldest.done) this.drop(oldest.value);
  }

  clear(): void {
    for (const key of [...this.parked.keys()]) this.drop(key);
  }

  private drop(key: string): void {
    const entry = this.parked.get(key);
    this.forget(key);
    if (entry !== undefined) this.dispose(entry.value);
  }

  private forget(key: string): void {
    clearTimeout(this.parked.get(key)?.expiry);
    this.parked.delete(key);
  }
}

function keyOf(start: string, cursor: string): string {
  return `${cursor} ${start}`;
}
