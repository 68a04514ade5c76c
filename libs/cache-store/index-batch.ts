import { type StoredEntry } from './entry-codec.js';

/** Changes gathered for one index transaction; a later change to a path replaces an earlier one. */
export class IndexBatch {
  private readonly overlay = new Map<string, StoredEntry | undefined>();

  constructor(private readonly committed: { get(path: string): StoredEntry | undefined }) {}

  /** As it will be after this batch. */
  get(path: string): StoredEntry | undefined {
    return this.overlay.has(path) ? this.overlay.get(path) : this.committed.get(path);
  }

  set(stored: StoredEntry): void {
    this.overlay.set(stored.entry.path, stored);
  }

  remove(path: string): void {
    this.overlay.set(path, undefined);
  }

  changes(): Iterable<[string, StoredEntry | undefined]> {
    return this.overlay;
  }
}
