/** The part of a directory that a job works on: everything below it, or its direct children only. */
type Reach = 'tree' | 'children';

/**
 * Divides the paths of a request into those to work on and those that another path covers. Neither list has duplicates;
 * each is ascending by UTF-8 bytes.
 * @param paths canonical UFS paths: with a trailing slash, everything below it; without one, also the object of that
 * name
 */
export function splitRoots(paths: readonly string[], reach: Reach): { roots: string[]; covered: string[] } {
  const distinct = new Set(paths);
  const sorted = [...distinct].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  const covered = new Set(sorted.filter((path) => isCovered(path, distinct, reach)));
  return { roots: sorted.filter((path) => !covered.has(path)), covered: [...covered] };
}

/**
 * Looks up the path's ancestors instead of comparing it with all others. Requests wait meanwhile, and there may be ten
 * thousand paths.
 */
function isCovered(path: string, others: ReadonlySet<string>, reach: Reach): boolean {
  for (let slash = path.lastIndexOf('/'); slash >= 0; slash = path.lastIndexOf('/', slash - 1)) {
    const directory = path.slice(0, slash + 1);
    if (others.has(path.slice(0, slash)) || (directory !== path && others.has(directory))) {
      return reach === 'tree' || path.indexOf('/', slash + 1) < 0;
    }
    // The path is no direct child of a directory further up.
    if (slash === 0 || (reach === 'children' && directory !== path)) return false;
  }
  return false;
}
