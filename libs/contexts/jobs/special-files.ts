import type { SpecialFiles } from './job.events.js';

/** So many are named of each kind; their paths are cut, as an event holds many. */
const maxExamples = 5;
const maxPath = 400;

/** Adds what a further part of the source has passed over. */
export function addSpecialFiles(sum: SpecialFiles, more: SpecialFiles): void {
  for (const [kind, { count, examples }] of Object.entries(more)) {
    const before = sum[kind] ?? { count: 0, examples: [] };
    const named = [...before.examples, ...examples.map((path) => path.slice(0, maxPath))].slice(0, maxExamples);
    sum[kind] = { count: before.count + count, examples: named };
  }
}
