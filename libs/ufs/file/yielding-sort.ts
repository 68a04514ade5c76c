import { setImmediate as nextTurn } from 'node:timers/promises';

/** Some milliseconds of sorting or merging. */
const defaultRunLength = 8192;

/**
 * Sorts strings by their code units, in place for short arrays. Holds the event loop for only some milliseconds at a
 * time: a plain sort of a million names takes seconds. Bottom-up merge sort over short sorted runs.
 * @param onTurn called between two turns of the event loop; an error that it throws ends the sort
 */
export async function sortYielding(
  items: string[],
  onTurn: () => void,
  runLength = defaultRunLength,
): Promise<string[]> {
  if (items.length <= runLength) return items.sort();
  let runs: string[][] = [];
  for (let start = 0; start < items.length; start += runLength) {
    runs.push(items.slice(start, start + runLength).sort());
    await nextTurn();
    onTurn();
  }
  while (runs.length > 1) {
    const merged: string[][] = [];
    for (let index = 0; index < runs.length; index += 2) {
      merged.push(await merge(runs[index] ?? [], runs[index + 1] ?? [], onTurn, runLength));
    }
    runs = merged;
  }
  return runs[0] ?? [];
}

async function merge(left: string[], right: string[], onTurn: () => void, turnLength: number): Promise<string[]> {
  if (right.length === 0) return left;
  const merged: string[] = [];
  let leftNext = 0;
  let rightNext = 0;
  for (let a = left[leftNext], b = right[rightNext]; a !== undefined || b !== undefined;) {
    if (b === undefined || (a !== undefined && a <= b)) {
      merged.push(a);
      a = left[++leftNext];
    } else {
      merged.push(b);
      b = right[++rightNext];
    }
    if (merged.length % turnLength === 0) {
      await nextTurn();
      onTurn();
    }
  }
  return merged;
}
