import { type StoredEntry } from './entry-codec.js';

/** Changes gathered for one index transaction; a later change to a path replaces an earlier one. */
export class IndexBatch {
  private readonly overlay = new Map<string, StoredEntry | undefined>();
  private readonly touches = new Map<string, { tick: number; atMs: number }>();
  private readonly fileIndex = new Map<string, boolean>();

  /** Set and then set again or removed within this batch: their bytes were written, and nobody will ever see them. */
  readonly superseded: StoredEntry[] = [];

  constructor(
    private readonly committed: { get(path: string): StoredEntry | undefined; isIndexed(path: string): boolean },
  ) {}

  /** As it will be after this batch. */
  get(path: string): StoredEntry | undefined {
    return this.overlay.has(path) ? this.overlay.get(path) : this.committed.get(path);
  }

  /** Leaves the file index alone: an entry that is only moved stays in it or out of it. */
  set(stored: StoredEntry): void {
    this.change(stored.entry.path, stored);
  }

  /** Also from the file index. */
  remove(path: string): void {
    this.change(path, undefined);
    this.setIndexed(path, false);
  }

  isIndexed(path: string): boolean {
    return this.fileIndex.get(path) ?? this.committed.isIndexed(path);
  }

  /** Puts a path into the file index or takes it out. */
  setIndexed(path: string, present: boolean): void {
    this.fileIndex.set(path, present);
  }

  /** Notes an access. Applied to the entry as it is when the batch is committed: it may be evicted until then. */
  touch(path: string, tick: number, atMs: number): void {
    this.touches.set(path, { tick, atMs });
  }

  *changes(): Iterable<[string, StoredEntry | undefined]> {
    yield* this.overlay;
    for (const [path, { tick, atMs }] of this.touches) {
      const stored = this.overlay.has(path) ? undefined : this.committed.get(path);
      // An entry written since the access was used later than that.
      if (stored === undefined || stored.tick > tick) continue;
      yield [path, { ...stored, tick, entry: { ...stored.entry, lastAccessMs: atMs } }];
    }
  }

  /** Paths whose place in the file index differs from what is committed. */
  *fileIndexChanges(): Iterable<[string, boolean]> {
    for (const [path, present] of this.fileIndex) {
      if (this.committed.isIndexed(path) !== present) yield [path, present];
    }
  }

  private change(path: string, stored: StoredEntry | undefined): void {
    const superseded = this.overlay.get(path);
    if (superseded) this.superseded.push(superseded);
    this.overlay.set(path, stored);
  }
}
