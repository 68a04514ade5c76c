import { hash } from 'node:crypto';

/**
 * A set of lines in 12 bytes a slot: the first 96 bits of each line's SHA-1, open addressing. Two different lines are
 * taken for one with a probability of about n²/2⁹⁷: 1e-17 for a million lines.
 */
export class LineSet {
  private slots: Uint32Array;
  private mask: number;
  size = 0;

  /** @param maxLines limits the memory: beyond this many distinct lines no more are remembered */
  constructor(private readonly maxLines: number) {
    this.mask = 2 ** 14 - 1;
    this.slots = new Uint32Array((this.mask + 1) * 3);
  }

  /** False when the line was added before. */
  add(line: string): boolean {
    const [a, b, c] = wordsOf(line);
    const slot = this.find(this.slots, a, b, c);
    if (this.slots[slot + 2] !== 0) return false;
    if (this.size >= this.maxLines) return true;
    this.slots.set([a, b, c], slot);
    if (++this.size * 4 > (this.mask + 1) * 3) this.grow();
    return true;
  }

  has(line: string): boolean {
    return this.slots[this.find(this.slots, ...wordsOf(line)) + 2] !== 0;
  }

  private find(slots: Uint32Array, a: number, b: number, c: number): number {
    for (let i = a & this.mask; ; i = (i + 1) & this.mask) {
      const slot = i * 3;
      if (slots[slot + 2] === 0) return slot;
      if (slots[slot] === a && slots[slot + 1] === b && slots[slot + 2] === c) return slot;
    }
  }

  private grow(): void {
    const old = this.slots;
    this.mask = this.mask * 2 + 1;
    this.slots = new Uint32Array((this.mask + 1) * 3);
    for (let slot = 0; slot < old.length; slot += 3) {
      if (old[slot + 2] === 0) continue;
      const target = this.find(this.slots, old[slot], old[slot + 1], old[slot + 2]);
      this.slots.set(old.subarray(slot, slot + 3), target);
    }
  }
}

function wordsOf(line: string): [number, number, number] {
  // As text of one byte a character: a buffer for each of a million lines would be long-lived garbage.
  const digest = hash('sha1', line, 'binary');
  // 0 marks a free slot.
  return [word(digest, 0), word(digest, 4), word(digest, 8) || 1];
}

function word(digest: string, at: number): number {
  const low = digest.charCodeAt(at) | (digest.charCodeAt(at + 1) << 8) | (digest.charCodeAt(at + 2) << 16);
  return (low | (digest.charCodeAt(at + 3) << 24)) >>> 0;
}
