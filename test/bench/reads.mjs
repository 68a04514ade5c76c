// What answers of a coordinator cost: requests/s, and CPU of the coordinator for each request, of
//
// - `GET /load?id=` while that job runs, and of other small reads, against `/healthz` of the same process. A read asks the
//   log for its end first, so that it sees everything any replica has acknowledged; `/healthz` does not;
// - `GET /load` with many jobs, and of other long answers, against ready-made JSON of the same length that the same
//   process sends below Larder and its framework,
//
// in turn in the same minute. Needs a build.
//
//   node test/bench/reads.mjs [--servers 1|3] [--clients 50] [--seconds 3] [--rounds 4] [--jobs 1000] [--only progress,list]
//     [--node-options='…']   of the coordinator and the workers
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { Pool } from 'undici';
import { startCluster } from '../../dist/libs/testing/index.js';
import { cpuSecondsOf, median } from './support/process-cost.mjs';

const { values } = parseArgs({
  options: {
    servers: { type: 'string', default: '1' },
    clients: { type: 'string', default: '50' },
    seconds: { type: 'string', default: '3' },
    rounds: { type: 'string', default: '4' },
    jobs: { type: 'string', default: '1000' },
    only: { type: 'string' },
    'node-options': { type: 'string', default: '' },
  },
});
const [servers, clients, seconds, rounds, jobs] = ['servers', 'clients', 'seconds', 'rounds', 'jobs'].map((name) =>
  Number(values[name]),
);

/** Every client asks again as soon as it has its answer. */
async function measure(pool, pid, target) {
  const cpuBefore = cpuSecondsOf(pid);
  const startedMs = performance.now();
  const until = startedMs + seconds * 1000;
  const latencies = [];
  await Promise.all(
    Array.from({ length: clients }, async () => {
      while (performance.now() < until) {
        const sentMs = performance.now();
        const { statusCode, body } = await pool.request({ method: 'GET', path: target });
        for await (const _part of body);
        if (statusCode !== 200) throw new Error(`${target} answered ${statusCode}`);
        latencies.push(performance.now() - sentMs);
      }
    }),
  );
  const tookMs = performance.now() - startedMs;
  latencies.sort((a, b) => a - b);
  return {
    perSecond: (latencies.length * 1000) / tookMs,
    cpuMicros: ((cpuSecondsOf(pid) - cpuBefore) * 1e6) / latencies.length,
    p99: latencies[Math.floor(latencies.length * 0.99)],
  };
}

/** All targets in turn, in another order each round. @param targets name → path; the first one is the peer */
async function compare(pool, pid, targets) {
  const names = Object.keys(targets);
  const results = Object.fromEntries(names.map((name) => [name, []]));
  for (const target of Object.values(targets)) await measure(pool, pid, target);
  for (let round = 0; round < rounds; round++) {
    const turn = round % names.length;
    for (const name of [...names.slice(turn), ...names.slice(0, turn)]) {
      results[name].push(await measure(pool, pid, targets[name]));
    }
  }
  const [peer] = names;
  for (const [name, all] of Object.entries(results)) {
    const of = (field) => median(all.map((one) => one[field]));
    const ratios = all.map(({ perSecond }, i) => perSecond / results[peer][i].perSecond);
    const shown = ratios.map((one) => one.toFixed(2)).join(', ');
    console.log(
      `${name.padEnd(12)} ${of('perSecond').toFixed(0).padStart(6)}/s  p99 ${of('p99').toFixed(1).padStart(6)} ms` +
        `  CPU ${of('cpuMicros').toFixed(0).padStart(5)} us each` +
        `  ratio to ${peer} ${median(ratios).toFixed(2)} (${shown})`,
    );
  }
}

async function lengthOf(pool, target) {
  const { body } = await pool.request({ method: 'GET', path: target });
  return (await body.arrayBuffer()).byteLength;
}

/** Ends when each of these jobs has. */
async function fill(api, count) {
  const left = Array.from({ length: count }, (_, i) => i);
  await Promise.all(
    Array.from({ length: 20 }, async () => {
      for (let i = left.pop(); i !== undefined; i = left.pop()) {
        await api.waitForJob(await api.load({ paths: [`/bench/f${i}`], alias: `job ${i}` }));
      }
    }),
  );
}

const source = fs.mkdtempSync(path.join(os.tmpdir(), 'larder-bench-'));
for (let i = 0; i < jobs; i++) fs.writeFileSync(path.join(source, `f${i}`), `${i}`);
fs.mkdirSync(path.join(source, 'slow'));
for (let i = 0; i < 100; i++) fs.writeFileSync(path.join(source, 'slow', `f${i}`), Buffer.alloc(1024 * 1024));

const preload = new URL('support/ready-made.mjs', import.meta.url).href;
const env = { NODE_OPTIONS: `--import ${preload} ${values['node-options']}` };
const cluster = await startCluster({ env, ...(servers > 1 ? { natsServers: servers } : {}) });
const pool = new Pool(cluster.api.baseUrl, { connections: clients });
try {
  const { api, coordinators } = cluster;
  const { pid } = coordinators[0].process;
  await api.mount('/bench', `file://${source}`);
  // Slow enough to run until the end of the bench.
  const id = await api.load({ paths: ['/bench/slow/'], options: { bandwidth: 100_000, batchSize: 10 } });
  const wanted = (name) => values.only === undefined || values.only.split(',').includes(name);
  const small = { progress: `/api/v1/load?id=${id}`, mounts: '/api/v1/mount', nodes: '/api/v1/nodes' };
  const short = Object.entries(small).filter(([name]) => wanted(name));
  if (short.length > 0) await compare(pool, pid, { healthz: '/healthz', ...Object.fromEntries(short) });
  const long = { list: '/api/v1/load', events: '/api/v1/events?count=1000' };
  for (const [name, target] of Object.entries(long).filter(([name]) => wanted(name))) {
    if (name === 'list') await fill(api, jobs);
    const bytes = await lengthOf(pool, target);
    console.log(`${name}: ${bytes} bytes`);
    await compare(pool, pid, { 'ready-made': `/ready-made?bytes=${bytes}`, [name]: target });
  }
  const { state } = await api.progress(id);
  if (state !== 'RUNNING') throw new Error(`the job should still run, but is ${state}`);
  await coordinators[0].process.stop();
} finally {
  await pool.destroy();
  await cluster.dispose();
  fs.rmSync(source, { recursive: true });
}
