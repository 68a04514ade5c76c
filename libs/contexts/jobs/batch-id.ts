import { mainPass, type Pass } from './job.events.js';

/**
 * `<mark><step>-<hash>`: it tells a report that comes before its plan from a report that comes twice. All versions must
 * give a stretch the same ids, because two versions may plan the same stretch.
 */
export function batchId(pass: Pass, step: number, hash: string): string {
  return `${markOf(pass)}${step}-${hash}`;
}

/** The letter that names a pass within its kind: its first letter, or `l` for the main pass, as in all versions. */
export function markOf(pass: Pass): string {
  return pass === mainPass ? 'l' : pass[0];
}

/** The pass and the step a batch was planned in; undefined for an id of another form. */
export function placeOfBatch(id: string): { mark: string; step: number } | undefined {
  const match = /^([a-z])(\d+)-/.exec(id);
  return match ? { mark: match[1], step: Number(match[2]) } : undefined;
}
