// How long the API takes to answer while jobs filter names with patterns that stall backtracking engines, and while
// nothing runs. Needs a build (`npm run build`).
//
//   node test/bench/filter-latency.mjs [--files 20000] [--seconds 10]
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { startCluster } from '../../dist/libs/testing/index.js';

const { values } = parseArgs({
  options: { files: { type: 'string', default: '20000' }, seconds: { type: 'string', default: '10' } },
});
const patterns = ['nothing', '(a+)+$', '(a|aa)+$', '([a-zA-Z]+)*$'];

const names = fs.mkdtempSync(path.join(os.tmpdir(), 'larder-bench-'));
const cluster = await startCluster({ workers: 1 });
try {
  for (let i = 0; i < Number(values.files); i++) {
    const letters = createHash('md5').update(String(i)).digest('hex').replace(/\d/g, 'a');
    fs.writeFileSync(path.join(names, `${'a'.repeat(60)}${letters}${i}!`), 'x');
  }
  await cluster.api.mount('/names', `file://${names}/`);
  report('nothing runs', await latencies(() => Promise.resolve()));
  for (const fileFilterRegex of patterns) {
    const job = async () => {
      const id = await cluster.api.load({ paths: ['/names'], options: { fileFilterRegex } });
      const done = await cluster.api.waitForJob(id);
      if (done.state !== 'SUCCEEDED' || done.filteredFiles !== Number(values.files))
        throw new Error(JSON.stringify(done));
    };
    report(fileFilterRegex, await latencies(job));
  }
} finally {
  await cluster.dispose();
  fs.rmSync(names, { recursive: true, force: true });
}

/** Milliseconds that each GET took, one after another, while jobs run one after another for so many seconds. */
async function latencies(job) {
  const until = performance.now() + Number(values.seconds) * 1000;
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

function report(what, { found, jobs }) {
  const at = (share) => found[Math.min(found.length - 1, Math.floor(share * found.length))].toFixed(1);
  console.log(`${what}: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, max ${at(1)} ms (${found.length} GETs, ${jobs} jobs)`);
}
