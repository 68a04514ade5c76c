/**
 * Compares names that users wrote with names that they may have meant. Upper and lower case, `_`, `-` and `.` do not
 * count as differences: `batch_size` is `batchSize` misspelt, at a distance of 0.
 */

/** The known name at the smallest distance; of several the first. Undefined if there are no known names. */
export function nearestName(name: string, known: Iterable<string>): { name: string; distance: number } | undefined {
  let best: { name: string; distance: number } | undefined;
  const written = bare(name);
  for (const candidate of known) {
    const atMost = best === undefined ? Infinity : best.distance - 1;
    const distance = editDistance(written, bare(candidate), atMost);
    if (distance <= atMost) best = { name: candidate, distance };
  }
  return best;
}

/**
 * The known name that this one may be a misspelling of: one letter wrong in names of 3 to 5 letters, two in names of up
 * to 10, three in longer ones. Undefined if it is too different from all of them.
 */
export function misspeltName(name: string, known: Iterable<string>): string | undefined {
  const like = [...known].filter((candidate) => {
    const atMost = tolerance(bare(candidate).length);
    return editDistance(bare(name), bare(candidate), atMost) <= atMost;
  });
  return nearestName(name, like)?.name;
}

function tolerance(length: number): number {
  if (length <= 2) return 0;
  if (length <= 5) return 1;
  return length <= 10 ? 2 : 3;
}

/** Characters behind this length are not compared: the distance takes quadratic time. */
const longestName = 200;

function bare(name: string): string {
  return name.slice(0, longestName).toLowerCase().replace(/[_.-]/g, '');
}

/**
 * Counts insertions, deletions, substitutions and swaps of neighbours (optimal string alignment: Damerau–Levenshtein
 * without edits inside a swap).
 * @returns Infinity if the lengths alone show that it is more than `atMost`
 */
function editDistance(a: string, b: string, atMost: number): number {
  if (Math.abs(a.length - b.length) > atMost) return Infinity;
  let before: number[] = [];
  let above = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const substituted = above[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      row[j] = Math.min(above[j] + 1, row[j - 1] + 1, substituted);
      const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (isSwap) row[j] = Math.min(row[j], before[j - 2] + 1);
    }
    [before, above] = [above, row];
  }
  return above[b.length];
}
