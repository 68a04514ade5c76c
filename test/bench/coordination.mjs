// What coordination costs: the engines of two workers alone, each with half of the list of files, against a whole cluster
// that loads the same files. Both use the same code for each file. Needs a build.
//
//   node test/bench/coordination.mjs [--files 100000] [--size 16384] [--rounds 3] [--only file|s3]
import fs from 'node:fs';
import path from 'node:path';
import readline from 'node:readline/promises';
import { spawn } from 'node:child_process';
import { s3MountOptions } from '../../dist/libs/testing/index.js';
import { bench } from './support/bench.mjs';
import { nginxEndpoint } from './support/endpoints.mjs';
import { timedLoad } from './support/loads.mjs';
import { withDirectory } from './support/processes.mjs';
import { inTurn, median, rounded, spread } from './support/rounds.mjs';
import { makeTree, warmPageCache } from './support/trees.mjs';

const engines = 2;
const batchSize = 200;
const script = path.join(import.meta.dirname, 'support/engine.mjs');

/** Starts the engines, lets them begin at the same moment, and waits for the last. */
async function enginesAlone(work, ufs, options, tree) {
  const directory = fs.mkdtempSync(path.join(work, 'engines-'));
  const started = Array.from({ length: engines }, (_, part) => {
    const given = { directory: path.join(directory, String(part)), ufs, options, part, of: engines, batchSize };
    fs.mkdirSync(given.directory);
    const child = spawn(process.execPath, [script, JSON.stringify(given)], { stdio: ['pipe', 'pipe', 'inherit'] });
    const lines = readline.createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const said = async () => {
      const { value, done } = await lines.next();
      if (done) throw new Error('an engine ended before it was done');
      return value;
    };
    return { child, said };
  });
  try {
    await Promise.all(started.map(({ said }) => said()));
    for (const { child } of started) child.stdin.write('go\n');
    const results = (await Promise.all(started.map(({ said }) => said()))).map((line) => JSON.parse(line));
    const sum = (field) => results.reduce((all, one) => all + one[field], 0);
    if (sum('files') !== tree.files || sum('bytes') !== tree.bytes) {
      throw new Error(`the engines loaded ${sum('files')} files`);
    }
    return { seconds: Math.max(...results.map(({ seconds }) => seconds)), cpu: sum('cpu') };
  } finally {
    for (const { child } of started) child.kill('SIGKILL');
    fs.rmSync(directory, { recursive: true, force: true, maxRetries: 3 });
  }
}

await bench({
  title: 'what coordination costs',
  options: { files: 10_000, size: 16_384, rounds: 1, only: '' },
  run: (options, tools) =>
    withDirectory(async (work) => {
      const tree = makeTree(work, 'files', options.files, options.size);
      const rows = [];
      const compare = async (scheme, ufs, mountOptions) => {
        tools.progress(scheme);
        warmPageCache(tree);
        const results = await inTurn(options.rounds, {
          alone: () => enginesAlone(work, ufs, mountOptions, tree),
          whole: () => timedLoad(ufs, mountOptions, tree, { workers: engines }),
        });
        const label = `${scheme}, ${tree.files.toLocaleString('en-US')} × ${options.size / 1024} KiB`;
        const ms = (seconds) => ((seconds / tree.files) * 1000).toFixed(3);
        const cpuOf = (part) => ms(median(results.whole.map(({ cpuBy }) => cpuBy[part])));
        const rate = (all) => rounded(median(all.map(({ seconds }) => tree.files / seconds)));
        rows.push([
          ...[label, rate(results.alone), rate(results.whole)],
          spread(results.whole.map(({ seconds }, i) => results.alone[i].seconds / seconds)),
          ms(median(results.alone.map(({ cpu }) => cpu))),
          ...['workers', 'coordinator', 'NATS'].map(cpuOf),
        ]);
      };
      if (options.only !== 's3') await compare('file://', `file://${tree.directory}/`, {});
      const store = options.only === 'file' ? undefined : await nginxEndpoint(tree, work, tools);
      try {
        if (store) await compare('s3://', 's3://bench/', s3MountOptions(store.endpoint));
      } finally {
        await store?.stop();
      }
      return {
        columns: [
          'work',
          'engines alone, files/s',
          'whole, files/s',
          'ratio',
          'CPU of the engines, ms a file',
          'of the workers',
          'of the coordinator',
          'of nats-server',
        ],
        rows,
      };
    }),
});
