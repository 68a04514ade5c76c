/** What a job does with a directory that it was given: all below it, or its direct children only. */
type Reach = 'tree' | 'children';

/**
 * Parts what was asked for into what must be worked on and what another path covers. Without doubles, each list ascending
 * by UTF-8 bytes.
 * @param paths canonical UFS paths: with a trailing slash what is below, without one also the object of that name
 */
export function splitRoots(paths: readonly string[], reach: Reach): { roots: string[]; covered: string[] } {
  const distinct = new Set(paths);
  const sorted = [...distinct].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  const covered = new Set(sorted.filter((path) => isCovered(path, distinct, reach)));
  return { roots: sorted.filter((path) => !covered.has(path)), covered: [...covered] };
}

/** By its ancestors and not by all others: ten thousand paths are to be parted while requests wait. */
function isCovered(path: string, others: ReadonlySet<string>, reach: Reach): boolean {
  for (let slash = path.lastIndexOf('/'); slash >= 0; slash = path.lastIndexOf('/', slash - 1)) {
    const directory = path.slice(0, slash + 1);
    if (others.has(path.slice(0, slash)) || (directory !== path && others.has(directory))) {
      return reach === 'tree' || path.indexOf('/', slash + 1) < 0;
    }
    // What is further up has this directory between itself and the path.
    if (slash === 0 || (reach === 'children' && directory !== path)) return false;
  }
  return false;
}
