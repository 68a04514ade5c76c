/** Numbers and choices that a seed decides. */
export class Random {
  private state: number;

  constructor(seed: number) {
    this.state = seed | 0;
  }

  /** Within [0, 1). Mulberry32 (public domain). */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }

  below(limit: number): number {
    return Math.floor(this.next() * limit);
  }

  chance(share: number): boolean {
    return this.next() < share;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)];
  }

  /** About `about` of the items, in their order. */
  some<T>(items: readonly T[], about: number): T[] {
    return items.filter(() => this.chance(about / items.length));
  }

  /** One of the items, chosen with a probability in proportion to its weight. */
  weighted<T extends { weight: number }>(items: readonly T[]): T {
    let at = this.next() * items.reduce((sum, { weight }) => sum + weight, 0);
    return items.find(({ weight }) => (at -= weight) < 0) ?? items[items.length - 1];
  }
}
