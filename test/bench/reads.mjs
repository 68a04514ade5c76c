// What answers of a coordinator cost: requests/s, and CPU of the coordinator for each request, of
//
// - `GET /load?id=` while that job runs, and of other small reads, against `/healthz` of the same process. A read asks the
//   log for its end first, so that it sees everything any replica has acknowledged; `/healthz` does not;
// - `GET /load` with many jobs, and of other long answers, against ready-made JSON of the same length that the same
//   process sends below Larder and its framework,
//
// in turn in the same minute. Needs a build.
//
//   node test/bench/reads.mjs [--servers 1|3] [--clients 50] [--seconds 2] [--rounds 3] [--jobs 1000] [--only progress,list]
//     [--node-options '…']   of the coordinator and the workers
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Pool } from 'undici';
import { bench } from './support/bench.mjs';
import { cpuSecondsOf } from './support/processes.mjs';
import { inTurn, median, rounded, spread } from './support/rounds.mjs';
import { startCluster } from './support/cluster.mjs';

/** Every client asks again as soon as it has its answer. */
async function measure(pool, pid, target, { clients, seconds }) {
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

/** All targets in turn. @param targets path by name; the first one is the peer */
async function compare(targets, rounds, ask) {
  for (const target of Object.values(targets)) await ask(target);
  const participants = Object.entries(targets).map(([name, target]) => [name, () => ask(target)]);
  const results = await inTurn(rounds, Object.fromEntries(participants));
  const [peer] = Object.values(results);
  return Object.entries(results).map(([name, all]) => {
    const of = (field) => median(all.map((one) => one[field]));
    return [
      name,
      `${rounded(of('perSecond'))}/s`,
      `${of('p99').toFixed(1)} ms`,
      `${of('cpuMicros').toFixed(0)} µs`,
      all === peer ? '' : spread(all.map(({ perSecond }, i) => perSecond / peer[i].perSecond)),
      all === peer ? '' : (median(peer.map(({ cpuMicros }) => cpuMicros)) / of('cpuMicros')).toFixed(2),
    ];
  });
}

const columns = ['GET', 'rate', 'p99', 'CPU each', 'ratio of rates, median (rounds)', 'ratio of CPU'];

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

await bench({
  title: 'what answers cost',
  options: { servers: 1, clients: 50, seconds: 2, rounds: 3, jobs: 1000, only: '', 'node-options': '' },
  async run(options) {
    const { servers, clients, rounds, jobs, only } = options;
    const source = fs.mkdtempSync(path.join(os.tmpdir(), 'larder-bench-'));
    for (let i = 0; i < jobs; i++) fs.writeFileSync(path.join(source, `f${i}`), `${i}`);
    fs.mkdirSync(path.join(source, 'slow'));
    for (let i = 0; i < 100; i++) fs.writeFileSync(path.join(source, 'slow', `f${i}`), Buffer.alloc(1024 * 1024));
    const preload = new URL('support/ready-made.mjs', import.meta.url).href;
    const env = { NODE_OPTIONS: `--import ${preload} ${options['node-options']}` };
    const cluster = await startCluster({ env, ...(servers > 1 ? { natsServers: servers } : {}) });
    const pool = new Pool(cluster.api.baseUrl, { connections: clients });
    try {
      const { api, coordinators } = cluster;
      const { pid } = coordinators[0].process;
      await api.mount('/bench', `file://${source}`);
      // Slow enough to run until the end of the bench.
      const id = await api.load({ paths: ['/bench/slow/'], options: { bandwidth: 100_000, batchSize: 10 } });
      const ask = (target) => measure(pool, pid, target, options);
      const wanted = ([name]) => only === '' || only.split(',').includes(name);
      const small = { progress: `/api/v1/load?id=${id}`, mounts: '/api/v1/mount', nodes: '/api/v1/nodes' };
      const short = Object.entries(small).filter(wanted);
      const tables = [];
      if (short.length > 0) {
        const rows = await compare({ '/healthz': '/healthz', ...Object.fromEntries(short) }, rounds, ask);
        tables.push({ caption: 'Short answers, against `/healthz`', columns, rows });
      }
      if (wanted(['list'])) {
        await fill(api, jobs);
        const list = '/api/v1/load';
        const bytes = await lengthOf(pool, list);
        const rows = await compare({ 'ready-made JSON': `/ready-made?bytes=${bytes}`, list }, rounds, ask);
        tables.push({ caption: `The list of ${jobs} jobs, ${rounded(bytes)} bytes`, columns, rows });
      }
      const { state } = await api.progress(id);
      if (state !== 'RUNNING') throw new Error(`the job should still run, but is ${state}`);
      return tables;
    } finally {
      await pool.destroy();
      await cluster.dispose();
      fs.rmSync(source, { recursive: true });
    }
  },
});
