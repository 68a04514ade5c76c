import type { SpecialFiles } from './job.events.js';

/** So many examples are named of each kind. Their paths are cut, because an event holds many. */
const maxExamples = 5;
const maxPath = 400;

/** Adds the special files of a further part of the source. */
export function addSpecialFiles(sum: SpecialFiles, more: SpecialFiles): void {
  for (const [kind, { count, examples }] of Object.entries(more)) {
    const before = sum[kind] ?? { count: 0, examples: [] };
    const named = [...before.examples, ...examples.map((path) => path.slice(0, maxPath))].slice(0, maxExamples);
    sum[kind] = { count: before.count + count, examples: named };
  }
}
