/**
 * Rendezvous (highest random weight) hashing. Every process that knows the same members places a key on the same
 * workers. When a member comes or goes, only the keys that it gains or loses move.
 *
 * Score: the 64 bits FNV-1a gives for the key's UTF-8 bytes, mixed with the member's own hash and finalised with the
 * avalanche step of MurmurHash3 (two 32-bit lanes). The recorded vector in `hash-ring.spec.ts` pins the function:
 * changing it would move every cached object of every cluster.
 */
export class HashRing {
  readonly members: readonly string[];
  private readonly seeds: readonly number[];

  constructor(members: Iterable<string>) {
    this.members = [...new Set(members)].sort();
    this.seeds = this.members.map((member) => fnv1a(member, 0x811c9dc5));
  }

  /** The `count` distinct members (fewer if there are fewer) that own `key`, the primary first. */
  owners(key: string, count = 1): string[] {
    const low = fnv1a(key, 0x811c9dc5);
    const high = fnv1a(key, 0x01000193 ^ 0x9e3779b9);
    if (count === 1) {
      const best = this.best(low, high);
      return best === undefined ? [] : [best];
    }
    return this.members
      .map((member, i) => ({ member, score: score(low, high, this.seeds[i]) }))
      .sort((a, b) => b.score - a.score || (a.member < b.member ? -1 : 1))
      .slice(0, count)
      .map(({ member }) => member);
  }

  private best(low: number, high: number): string | undefined {
    let best: string | undefined;
    let bestScore = -1;
    for (let i = 0; i < this.members.length; i++) {
      const s = score(low, high, this.seeds[i]);
      // Members are sorted, so on a tie the first stays: the same rule as in the sort above.
      if (s > bestScore) {
        bestScore = s;
        best = this.members[i];
      }
    }
    return best;
  }
}

function score(low: number, high: number, seed: number): number {
  const a = fmix32(low ^ seed);
  const b = fmix32(high ^ Math.imul(seed, 0x85ebca6b));
  // 53 bits: all that a double holds exactly.
  return (a >>> 0) * 0x200000 + (b >>> 11);
}

const encoder = new TextEncoder();
const scratch = new Uint8Array(16 * 1024);

function fnv1a(text: string, basis: number): number {
  let hash = basis | 0;
  let ascii = true;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c > 0x7f) {
      ascii = false;
      break;
    }
    hash = Math.imul(hash ^ c, 0x01000193);
  }
  if (ascii) return hash;
  const bytes =
    text.length * 3 <= scratch.length
      ? scratch.subarray(0, encoder.encodeInto(text, scratch).written)
      : encoder.encode(text);
  hash = basis | 0;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash;
}

function fmix32(value: number): number {
  let h = value;
  h ^= h >>> 16;
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  h ^= h >>> 16;
  return h;
}
