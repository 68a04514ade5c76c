import { mainPass, type Pass } from './job.events.js';

/**
 * `<mark><step>-<hash>`: tells a report that runs ahead of its plan from one that came twice. The id of a stretch must be
 * the same in all versions, for two of them may plan it.
 */
export function batchId(pass: Pass, step: number, hash: string): string {
  return `${markOf(pass)}${step}-${hash}`;
}

/** What the passes of one kind are told apart by: their first letter, and for the main pass `l`, as ever. */
export function markOf(pass: Pass): string {
  return pass === mainPass ? 'l' : pass[0];
}

/** The pass and the step a batch was planned in; undefined for an id that is none of ours. */
export function placeOfBatch(id: string): { mark: string; step: number } | undefined {
  const match = /^([a-z])(\d+)-/.exec(id);
  return match ? { mark: match[1], step: Number(match[2]) } : undefined;
}
