// The order of test files in `npm test`: those that take longest first, so that none is left to run alone at the end.
import fs from 'node:fs';
import path from 'node:path';
import TestSequencer from '@jest/test-sequencer';

const root = path.resolve(import.meta.dirname, '..');
const { seconds } = JSON.parse(fs.readFileSync(path.join(root, 'scripts/test-plan.json'), 'utf8'));

export default class LongestFirst extends TestSequencer {
  sort(tests) {
    // Fills in how long each took in the last run here. Where there was none, the table of the repository decides.
    const known = super.sort(tests);
    const secondsOf = ({ path: file, duration }) =>
      duration == null ? (seconds[path.relative(root, file)] ?? 0) : duration / 1000;
    return known.sort((a, b) => secondsOf(b) - secondsOf(a));
  }
}
