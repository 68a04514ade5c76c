// How long the API takes to answer while jobs filter names with patterns that stall backtracking engines, and while
// nothing runs. Needs a build (`npm run build`).
//
//   node test/bench/filter-latency.mjs [--files 20000] [--seconds 10]
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { startCluster } from '../../dist/libs/testing/index.js';
import { bench } from './support/bench.mjs';
import { quantile } from './support/rounds.mjs';

const patterns = ['nothing', '(a+)+$', '(a|aa)+$', '([a-zA-Z]+)*$'];

await bench({
  title: 'how fast the API answers while jobs filter names',
  options: { files: 10_000, seconds: 5 },
  async run({ files, seconds }) {
    const names = fs.mkdtempSync(path.join(os.tmpdir(), 'larder-bench-'));
    const cluster = await startCluster({ workers: 1 });
    try {
      for (let i = 0; i < files; i++) {
        const letters = createHash('md5').update(String(i)).digest('hex').replace(/\d/g, 'a');
        fs.writeFileSync(path.join(names, `${'a'.repeat(60)}${letters}${i}!`), 'x');
      }
      await cluster.api.mount('/names', `file://${names}/`);
      const { found } = await latencies(cluster, seconds, () => Promise.resolve());
      const rows = [row('nothing runs', { found, jobs: 0 })];
      for (const fileFilterRegex of patterns) {
        const job = async () => {
          const id = await cluster.api.load({ paths: ['/names'], options: { fileFilterRegex } });
          const done = await cluster.api.waitForJob(id);
          if (done.state !== 'SUCCEEDED' || done.filteredFiles !== files) throw new Error(JSON.stringify(done));
        };
        rows.push(row(`\`${fileFilterRegex}\``, await latencies(cluster, seconds, job)));
      }
      return { columns: ['filter', 'p50 ms', 'p99 ms', 'longest ms', 'GETs', 'jobs'], rows };
    } finally {
      await cluster.dispose();
      fs.rmSync(names, { recursive: true, force: true });
    }
  },
});

/** Milliseconds that each GET took, one after another, while jobs run one after another for so many seconds. */
async function latencies(cluster, seconds, job) {
  const until = performance.now() + seconds * 1000;
  const isOver = () => performance.now() > until;
  const found = [];
  let jobs = 0;
  const work = (async () => {
    for (; !isOver(); jobs++) {
      await job();
      await new Promise((next) => setTimeout(next, 1));
    }
  })();
  while (!isOver()) {
    const started = performance.now();
    const { status } = await cluster.api.request('GET', '/mount?path=/names');
    if (status !== 200) throw new Error(`GET /mount answered ${status}`);
    found.push(performance.now() - started);
  }
  await work;
  return { found: found.sort((a, b) => a - b), jobs };
}

function row(what, { found, jobs }) {
  return [what, ...[0.5, 0.99, 1].map((share) => quantile(found, share).toFixed(1)), found.length, jobs];
}
