/** States of all views by log sequence, as JSON text; when there are too many, the least recently used are dropped. */
export class PastCache {
  private readonly entries = new Map<number, string>();
  private chars = 0;

  /** @param maxChars limit for all texts together; a longer text is not kept */
  constructor(
    private readonly maxEntries = 16,
    private readonly maxChars = 64 * 1024 * 1024,
  ) {}

  put(sequence: number, json: string): void {
    this.remove(sequence);
    if (json.length > this.maxChars) return;
    this.entries.set(sequence, json);
    this.chars += json.length;
    // Insertion order is the order of use: `nearest` moves its answer to the end.
    for (const oldest of this.entries.keys()) {
      if (this.entries.size <= this.maxEntries && this.chars <= this.maxChars) break;
      this.remove(oldest);
    }
  }

  /** The last state at or before a sequence. */
  nearest(sequence: number): { sequence: number; json: string } | undefined {
    const found = [...this.entries.keys()].filter((one) => one <= sequence).sort((a, b) => b - a)[0] as
      number | undefined;
    if (found === undefined) return undefined;
    const json = this.entries.get(found)!;
    this.entries.delete(found);
    this.entries.set(found, json);
    return { sequence: found, json };
  }

  private remove(sequence: number): void {
    const json = this.entries.get(sequence);
    if (json === undefined) return;
    this.entries.delete(sequence);
    this.chars -= json.length;
  }
}
