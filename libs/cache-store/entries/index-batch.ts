import { type StoredEntry } from './entry-codec.js';

/** Changes for one index transaction. A later change to a path replaces an earlier one. */
export class IndexBatch {
  private readonly overlay = new Map<string, StoredEntry | undefined>();
  private readonly touches = new Map<string, { tick: number; atMs: number }>();
  private readonly fileIndex = new Map<string, boolean>();

  /** Set and then set again or removed within this batch: their bytes were written, but never become visible. */
  readonly superseded: StoredEntry[] = [];

  constructor(
    private readonly committed: { get(path: string): StoredEntry | undefined; isIndexed(path: string): boolean },
  ) {}

  /** The entry as it will be after this batch. */
  get(path: string): StoredEntry | undefined {
    return this.overlay.has(path) ? this.overlay.get(path) : this.committed.get(path);
  }

  /** Leaves the file index alone: moving an entry does not change whether it is listed there. */
  set(stored: StoredEntry): void {
    this.change(stored.entry.path, stored);
  }

  /** Removes the path, also from the file index. */
  remove(path: string): void {
    this.change(path, undefined);
    this.setIndexed(path, false);
  }

  isIndexed(path: string): boolean {
    return this.fileIndex.get(path) ?? this.committed.isIndexed(path);
  }

  /** Adds a path to the file index or removes it. */
  setIndexed(path: string, present: boolean): void {
    this.fileIndex.set(path, present);
  }

  /** Notes an access. It is applied to the entry as it is at commit: the entry may be evicted until then. */
  touch(path: string, tick: number, atMs: number): void {
    this.touches.set(path, { tick, atMs });
  }

  *changes(): Iterable<[string, StoredEntry | undefined]> {
    yield* this.overlay;
    for (const [path, { tick, atMs }] of this.touches) {
      const stored = this.overlay.has(path) ? undefined : this.committed.get(path);
      // An entry written since the access has a later last use.
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
