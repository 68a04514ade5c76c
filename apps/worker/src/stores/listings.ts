/** Greater than any character that can continue a name, except itself. */
const lastCharacter = '\u{10FFFF}';

/** In byte order: what starts with `prefix` and comes after `after`. */
export type Lister<T> = (prefix: string, after?: string) => Iterable<T>;

/** Lists page by page, for a source that returns pages. */
export function paged(page: (prefix: string, after?: string) => string[], size: number): Lister<string> {
  return function* (prefix, after) {
    for (let last = after; ;) {
      const some = page(prefix, last);
      yield* some;
      if (some.length < size) return;
      last = some.at(-1);
    }
  };
}

/**
 * Lists what lies outside certain directories, and skips these without reading them.
 * @param rootOf the directory, ending with `/`, that contains or is a key; undefined outside of all
 */
export function* outside<T>(
  list: Lister<T>,
  keyOf: (item: T) => string,
  rootOf: (key: string) => string | undefined,
  prefix: string,
  after?: string,
): Generator<T> {
  for (let from = after, leaps = true; leaps;) {
    leaps = false;
    for (const item of list(prefix, from)) {
      const key = keyOf(item);
      const root = rootOf(key);
      if (root === undefined) {
        yield item;
        continue;
      }
      const behind = root + lastCharacter;
      if (key.length < root.length || key.startsWith(behind)) continue;
      from = behind;
      leaps = true;
      break;
    }
  }
}

/** Merges listings that are each in byte order, and keeps that order. Equal items follow one another. */
export function* merged<T>(listings: readonly Iterable<T>[], pathOf: (item: T) => string): Generator<T> {
  const heads = listings.map((listing) => ({
    rest: listing[Symbol.iterator](),
    bytes: Buffer.alloc(0),
    item: undefined as T,
  }));
  type Head = (typeof heads)[number];
  const advance = (head: Head): boolean => {
    const next = head.rest.next();
    if (next.done) return false;
    head.item = next.value;
    head.bytes = Buffer.from(pathOf(next.value));
    return true;
  };
  const live = heads.filter(advance);
  try {
    while (live.length > 0) {
      const least = live.reduce((a, b) => (Buffer.compare(b.bytes, a.bytes) < 0 ? b : a));
      yield least.item;
      if (!advance(least)) live.splice(live.indexOf(least), 1);
    }
  } finally {
    for (const { rest } of live) rest.return?.();
  }
}
