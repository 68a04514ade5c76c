import type { CacheEntry } from '#cache-store';
import type { CopySource } from '#contexts/jobs/kinds';

/** Greater than any character that can continue a name, except itself. */
const lastCharacter = '\u{10FFFF}';
/** After skipping this many subdirectories, the caller gets a chance to let other tasks run. */
const leapsAtOnce = 256;

/**
 * The cached copies that a path to free stands for, in the order of the index. With a trailing slash: what is below it.
 * Without one: also the object of exactly that path. Yields undefined now and then where a long stretch has no such
 * copy. The caller may remove yielded copies meanwhile.
 * @param recursive false: only the direct children
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

/** Skips subdirectories instead of reading them. */
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
