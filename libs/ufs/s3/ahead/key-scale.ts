/** Characters that names are counted in, each alphabet in the order of its bytes. The first that fits is taken. */
const alphabets = [
  '0123456789',
  '0123456789abcdef',
  '0123456789ABCDEF',
  'abcdefghijklmnopqrstuvwxyz',
  'ABCDEFGHIJKLMNOPQRSTUVWXYZ',
  '0123456789abcdefghijklmnopqrstuvwxyz',
  '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ',
  '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz',
  '-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz',
].map((letters) => ({ letters, ranks: ranksOf(letters) }));
type Alphabet = (typeof alphabets)[number];

/** So many characters from the first one that differs tell the distance of two keys. */
const tellingLength = 10;
/** A run of characters before it takes part, so that `0999` is followed by `1000`. */
const longestCarry = 16;
const samples = 64;

/** For each code unit of ASCII: how many letters of the alphabet are smaller, and whether it is one of them. */
function ranksOf(letters: string): { below: number; isLetter: boolean }[] {
  return Array.from({ length: 128 }, (_, code) => {
    const below = [...letters].filter((letter) => letter.charCodeAt(0) < code).length;
    return { below, isLetter: letters.includes(String.fromCharCode(code)) };
  });
}

/**
 * Where keys lie between two others, as a number. Taken from the keys of a page: what differs among them is read as
 * digits of the alphabet that they use, so that keys with counters and keys with random letters can be foretold. It only
 * guesses: nothing depends on it but how many requests are wasted.
 */
export class KeyScale {
  private constructor(
    /** What all keys of the page begin with, up to the digits. */
    readonly head: string,
    private readonly alphabet: Alphabet,
    private readonly length: number,
    private readonly from: bigint,
    private readonly to: bigint,
    private readonly steps: number,
  ) {}

  /**
   * @param keys in ascending order
   * @param fixed so many characters belong to a directory and are never counted on
   * @returns undefined where the keys do not tell
   */
  static of(keys: readonly string[], fixed: number): KeyScale | undefined {
    const first = keys[0];
    const last = keys.at(-1);
    if (first === undefined || last === undefined || keys.length < 2) return undefined;
    const differsAt = sharedLength(first, last);
    const alphabet = alphabetOf(keys, differsAt);
    if (alphabet === undefined) return undefined;
    let start = differsAt;
    while (start > fixed && differsAt - start < longestCarry && isLetter(alphabet, first.charCodeAt(start - 1)))
      start--;
    const length = differsAt - start + tellingLength;
    const head = first.slice(0, start);
    const from = valueOf(first, start, length, alphabet);
    const to = valueOf(last, start, length, alphabet);
    return to > from ? new KeyScale(head, alphabet, length, from, to, keys.length - 1) : undefined;
  }

  /**
   * A text so many keys after another, if all go on as they do here; undefined beyond the last possible digits.
   * @param head the beginning of `key` that stands in place of this scale's own
   */
  after(key: string, count: number, head: string = this.head): string | undefined {
    if (!key.startsWith(head)) return undefined;
    const { alphabet, length } = this;
    const value = valueOf(key, head.length, length, alphabet) + this.span(count);
    const digits = digitsOf(value, length, alphabet.letters);
    if (digits === undefined) return undefined;
    const guess = head + digits;
    return guess > key ? guess : undefined;
  }

  /** About how many keys lie between two that begin with `head`. */
  count(key: string, end: string, head: string = this.head): number | undefined {
    if (!key.startsWith(head) || !end.startsWith(head)) return undefined;
    const { alphabet, length } = this;
    const distance = valueOf(end, head.length, length, alphabet) - valueOf(key, head.length, length, alphabet);
    return (Number(distance) / Number(this.to - this.from)) * this.steps;
  }

  private span(count: number): bigint {
    return ((this.to - this.from) * BigInt(Math.round(count))) / BigInt(this.steps);
  }
}

function sharedLength(a: string, b: string): number {
  const end = Math.min(a.length, b.length);
  for (let i = 0; i < end; i++) if (a.charCodeAt(i) !== b.charCodeAt(i)) return i;
  return end;
}

/** The smallest alphabet of the letters and digits that the keys have from a position on. */
function alphabetOf(keys: readonly string[], at: number): Alphabet | undefined {
  const seen = new Set<number>();
  const everyNth = Math.max(1, Math.floor(keys.length / samples));
  for (let i = 0; i < keys.length; i += everyNth) {
    for (let j = at; j < at + tellingLength; j++) {
      const code = keys[i].charCodeAt(j);
      if (Number.isNaN(code) || !isLetter(alphabets.at(-1)!, code)) break;
      seen.add(code);
    }
  }
  return seen.size === 0 ? undefined : alphabets.find((one) => [...seen].every((code) => isLetter(one, code)));
}

function isLetter({ ranks }: Alphabet, code: number): boolean {
  return code < 128 && ranks[code].isLetter;
}

function valueOf(key: string, start: number, length: number, { letters, ranks }: Alphabet): bigint {
  const base = BigInt(letters.length);
  let value = 0n;
  let isOver = false;
  for (let i = start; i < start + length; i++) {
    value *= base;
    if (isOver || i >= key.length) continue;
    const code = key.charCodeAt(i);
    const rank = code < 128 ? ranks[code] : { below: letters.length, isLetter: false };
    value += BigInt(rank.below);
    // What follows another character, such as a suffix, tells nothing more.
    isOver = !rank.isLetter;
  }
  return value;
}

/** Without the least letters at the end: they change nothing. Undefined for a value with more digits. */
function digitsOf(value: bigint, length: number, letters: string): string | undefined {
  const base = BigInt(letters.length);
  const digits: string[] = [];
  let rest = value;
  for (let i = 0; i < length; i++) {
    digits.push(letters[Number(rest % base)]);
    rest /= base;
  }
  if (rest > 0n) return undefined;
  const text = digits.reverse().join('');
  let end = text.length;
  while (end > 1 && text[end - 1] === letters[0]) end--;
  return text.slice(0, end);
}
