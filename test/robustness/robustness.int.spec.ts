import { randomInt } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { canReplicate, projectRoot } from '#testing';
import { faultNames, type FaultName } from './harness/faults.js';
import { run } from './harness/run.js';

const env = process.env;
const seed = Number(env['LARDER_TEST_SEED'] ?? randomInt(2 ** 31));
/** Set by scripts/robustness.mjs. The default is short enough for `npm test`. */
const minutes = env['LARDER_TEST_MINUTES'];
const kinds = (env['LARDER_TEST_FAULTS']?.split(',') ?? faultNames) as FaultName[];
const unknown = kinds.filter((kind) => !faultNames.includes(kind));
if (unknown.length > 0) throw new Error(`there is no fault ${unknown.join(', ')}: use any of ${faultNames.join(', ')}`);

/** Duration of one round. Each round starts a new cluster, so that a finding can be repeated in little time. */
const roundMs = minutes === undefined ? 25_000 : Math.min(120_000, Number(minutes) * 60_000);
const rounds = minutes === undefined ? 1 : Math.max(1, Math.round((Number(minutes) * 60_000) / roundMs));
const artefacts = minutes === undefined ? tmpdir() : join(projectRoot(), 'test/robustness/.artefacts');

(canReplicate() ? describe : describe.skip)('a cluster with random faults', () => {
  test.each(Array.from({ length: rounds }, (_, round) => seed + round))(
    'keeps every promise with seed %i',
    async (roundSeed) => {
      const directory = join(artefacts, `larder-robustness-${roundSeed}`);
      const chosen = kinds === faultNames ? '' : ` --faults ${kinds.join(',')}`;
      const repeat = `npm run test:robustness -- --seed ${roundSeed} --minutes ${(roundMs / 60_000).toFixed(2)}${chosen}`;
      process.stderr.write(`robustness: seed ${roundSeed}; to repeat: ${repeat}\n`);
      const { problems, ...report } = await run({ seed: roundSeed, durationMs: roundMs, kinds, directory });
      process.stderr.write(`robustness: ${JSON.stringify(report)}\n`);
      const found = Object.entries(problems).map(
        ([check, all]) => `${check} (${all.length}): ${all.slice(0, 3).join('\n')}`,
      );
      if (found.length > 0) throw new Error([`${repeat}\nartefacts: ${directory}`, ...found].join('\n\n'));
    },
    roundMs + 240_000,
  );
});
