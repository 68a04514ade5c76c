// `npm run test:robustness -- --minutes 30 --seed N [--faults kill-worker,split-nats]`: the harness of test/robustness
// for as long as one likes, in rounds of two minutes, each on a new cluster and with the next seed. What a round that
// found something has left behind is kept in test/robustness/.artefacts.
import './check-node.mjs';
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { ensureNatsServer } from './nats-server.mjs';
import { build, ensureDependencies, root } from './prepare.mjs';

// The check above refuses a Node that is too old to have it.
const { parseArgs } = await import('node:util');
const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    seed: { type: 'string' },
    faults: { type: 'string' },
  },
});
await ensureDependencies();
await build();
await ensureNatsServer({ allSuites: true });
const { status } = spawnSync(
  process.execPath,
  [
    path.join(root, 'node_modules/jest/bin/jest.js'),
    '--selectProjects',
    'processes',
    '--runInBand',
    '--testPathPatterns',
    'test/robustness/robustness',
  ],
  {
    cwd: root,
    stdio: 'inherit',
    env: {
      ...process.env,
      LARDER_TEST_MINUTES: values.minutes,
      ...(values.seed === undefined ? {} : { LARDER_TEST_SEED: values.seed }),
      ...(values.faults === undefined ? {} : { LARDER_TEST_FAULTS: values.faults }),
    },
  },
);
process.exitCode = status ?? 1;
