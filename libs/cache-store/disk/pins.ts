/** Files that readers are using, by id. Such a file is removed only after its last reader is done. */
export class FilePins {
  private readonly counts = new Map<number, number>();
  private readonly waiting = new Map<number, () => void>();

  /** @returns the release, which may be called more than once */
  pin(fileId: number): () => void {
    this.counts.set(fileId, (this.counts.get(fileId) ?? 0) + 1);
    let released = false;
    return () => {
      if (released) return;
      released = true;
      this.unpin(fileId);
    };
  }

  has(fileId: number): boolean {
    return this.counts.has(fileId);
  }

  /** Calls `action` when the file has no pin: at once, or after the last release. */
  whenFree(fileId: number, action: () => void): void {
    if (this.counts.has(fileId)) this.waiting.set(fileId, action);
    else action();
  }

  private unpin(fileId: number): void {
    const count = this.counts.get(fileId) ?? 0;
    if (count > 1) {
      this.counts.set(fileId, count - 1);
      return;
    }
    this.counts.delete(fileId);
    const action = this.waiting.get(fileId);
    this.waiting.delete(fileId);
    action?.();
  }
}
