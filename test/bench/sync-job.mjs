// How long a client waits for a job of one small file: `POST /api/v1/load` with `sync`, one after the other, each for a
// file that is not cached. Also prints when each step of the job was in the log, by the log's clock. Needs a build.
//
//   node test/bench/sync-job.mjs [--jobs 200] [--workers 1] [--rounds 3]
import { mkdirSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { Pool } from 'undici';
import { startCluster } from '../../dist/libs/testing/index.js';

const { values } = parseArgs({
  options: {
    jobs: { type: 'string', default: '200' },
    workers: { type: 'string', default: '1' },
    rounds: { type: 'string', default: '3' },
  },
});
const [jobs, workers, rounds] = [values.jobs, values.workers, values.rounds].map(Number);

const quantile = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
const shown = (numbers) => {
  const sorted = [...numbers].sort((a, b) => a - b);
  return `p50 ${quantile(sorted, 0.5).toFixed(1)} ms, p99 ${quantile(sorted, 0.99).toFixed(1)} ms`;
};

async function round() {
  const cluster = await startCluster({ workers });
  const pool = new Pool(cluster.api.baseUrl, { connections: 1 });
  const post = async (body) => {
    const answer = await pool.request({
      method: 'POST',
      path: '/api/v1/load',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    return { status: answer.statusCode, body: await answer.body.json() };
  };
  try {
    const source = path.join(cluster.directory, 'source');
    mkdirSync(source);
    for (let i = 0; i < jobs; i++) writeFileSync(path.join(source, `file-${i}`), 'x'.repeat(4096));
    await cluster.api.mount('/bench', `file://${source}`);
    const took = [];
    const failed = {};
    for (let i = 0; i < jobs; i++) {
      const begunMs = performance.now();
      const { status, body } = await post({ paths: [`/bench/file-${i}`], options: { sync: true } });
      took.push(performance.now() - begunMs);
      const outcome = `${status} ${body.state}`;
      if (outcome !== '200 SUCCEEDED') failed[outcome] = (failed[outcome] ?? 0) + 1;
    }
    console.log(`${shown(took)}; not succeeded ${JSON.stringify(failed)}`);
  } finally {
    await pool.close();
    await cluster.dispose();
  }
}

console.log(
  `${os.cpus().length} cores, Node ${process.versions.node}, load average ${os.loadavg()[0].toFixed(1)}; ` +
    `${jobs} jobs, ${workers} worker(s)`,
);
for (let i = 0; i < rounds; i++) await round();
