import type { CacheEntry } from '#cache-store';
import type { CopySource } from '#contexts/jobs/kinds';

/** Greater than any character a name can go on with, but for itself. */
const lastCharacter = '\u{10FFFF}';
/** So many subdirectories are passed over before the caller gets a chance to let others run. */
const leapsAtOnce = 256;

/**
 * The cached copies that a path to free stands for, in the order of the index: with a trailing slash what is below it,
 * without one also the object of exactly that path. Undefined now and then where a long stretch held none of them.
 * The copies that were handed out may be removed while this goes on.
 * @param recursive false: of what is below only the direct children
 */
export function* targetsOf(cache: CopySource, path: string, recursive: boolean): Generator<CacheEntry | undefined> {
  const directory = path.endsWith('/') ? path : `${path}/`;
  if (directory !== path) {
    const exact = cache.get(path);
    if (exact) yield exact;
  }
  if (recursive) yield* cache.entries(directory);
  else yield* childrenOf(cache, directory);
}

/** Leaps over subdirectories instead of reading through them. */
function* childrenOf(cache: CopySource, directory: string): Generator<CacheEntry | undefined> {
  let after: string | undefined;
  for (let leaps = 1; ; leaps++) {
    const from: string | undefined = after;
    after = undefined;
    for (const entry of cache.entries(directory, from === undefined ? {} : { after: from })) {
      const slash = entry.path.indexOf('/', directory.length);
      const behind = entry.path.slice(0, slash + 1) + lastCharacter;
      if (slash < 0) {
        yield entry;
      } else if (!entry.path.startsWith(behind)) {
        after = behind;
        break;
      }
    }
    if (after === undefined) return;
    if (leaps % leapsAtOnce === 0) yield undefined;
  }
}
