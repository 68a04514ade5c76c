// What it costs that a GET sees everything any replica has acknowledged: requests/s of reads that ask the log for its end
// first, against `/healthz` of the same process, which does not, in turn in the same minute. Needs a build.
//
//   node test/bench/reads.mjs [--servers 1|3] [--clients 50] [--seconds 3] [--rounds 4]
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Pool } from 'undici';
import { startCluster } from '../../dist/libs/testing/index.js';
import { bench } from './support/bench.mjs';
import { inTurn, median, rounded, spread } from './support/rounds.mjs';

/** Every client asks again as soon as it has its answer. */
async function measure(pool, target, { clients, seconds }) {
  const until = performance.now() + seconds * 1000;
  const latencies = [];
  await Promise.all(
    Array.from({ length: clients }, async () => {
      while (performance.now() < until) {
        const startedAt = performance.now();
        const { statusCode, body } = await pool.request({ method: 'GET', path: target });
        await body.dump();
        if (statusCode !== 200) throw new Error(`${target} answered ${statusCode}`);
        latencies.push(performance.now() - startedAt);
      }
    }),
  );
  latencies.sort((a, b) => a - b);
  return { perSecond: latencies.length / seconds, p99: latencies[Math.floor(latencies.length * 0.99)] };
}

await bench({
  title: 'what it costs that reads are fresh',
  options: { servers: 1, clients: 50, seconds: 2, rounds: 3 },
  async run(options) {
    const { servers, clients, rounds } = options;
    const source = fs.mkdtempSync(path.join(os.tmpdir(), 'larder-bench-'));
    for (let i = 0; i < 100; i++) fs.writeFileSync(path.join(source, `f${i}`), `${i}`);
    const cluster = await startCluster(servers > 1 ? { natsServers: servers } : {});
    const pool = new Pool(cluster.api.baseUrl, { connections: clients });
    try {
      await cluster.api.mount('/bench', `file://${source}`);
      const id = await cluster.api.load({ paths: ['/bench'] });
      await cluster.api.waitForJob(id);
      const targets = {
        '/healthz': '/healthz',
        '/api/v1/load?id=': `/api/v1/load?id=${id}`,
        '/api/v1/mount': '/api/v1/mount',
      };
      for (const target of Object.values(targets)) await measure(pool, target, options);
      const results = await inTurn(
        rounds,
        Object.fromEntries(
          Object.entries(targets).map(([name, target]) => [name, () => measure(pool, target, options)]),
        ),
      );
      const rows = Object.entries(results).map(([name, all]) => [
        `\`${name}\``,
        spread(all.map(({ perSecond }, i) => perSecond / results['/healthz'][i].perSecond)),
        `${rounded(median(all.map(({ perSecond }) => perSecond)))}/s`,
        `${median(all.map(({ p99 }) => p99)).toFixed(1)} ms`,
      ]);
      return { columns: ['GET', 'ratio to `/healthz`, median (rounds)', 'rate', 'p99'], rows };
    } finally {
      await pool.destroy();
      await cluster.dispose();
      fs.rmSync(source, { recursive: true });
    }
  },
});
