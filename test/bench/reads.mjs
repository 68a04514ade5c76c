// What it costs that a GET sees everything any replica has acknowledged: requests/s of reads that ask the log for its end
// first, against `/healthz` of the same process, which does not, in turn in the same minute. Needs a build.
//
//   node test/bench/reads.mjs [--servers 1|3] [--clients 50] [--seconds 3] [--rounds 4]
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { Pool } from 'undici';
import { startCluster } from '../../dist/libs/testing/index.js';

const { values } = parseArgs({
  options: {
    servers: { type: 'string', default: '1' },
    clients: { type: 'string', default: '50' },
    seconds: { type: 'string', default: '3' },
    rounds: { type: 'string', default: '4' },
  },
});
const [servers, clients, seconds, rounds] = ['servers', 'clients', 'seconds', 'rounds'].map((name) =>
  Number(values[name]),
);

/** Every client asks again as soon as it has its answer. */
async function measure(pool, target) {
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

const median = (numbers) => numbers.toSorted((a, b) => a - b)[numbers.length >> 1];

const source = fs.mkdtempSync(path.join(os.tmpdir(), 'larder-bench-'));
for (let i = 0; i < 100; i++) fs.writeFileSync(path.join(source, `f${i}`), `${i}`);
const cluster = await startCluster(servers > 1 ? { natsServers: servers } : {});
const pool = new Pool(cluster.api.baseUrl, { connections: clients });
try {
  await cluster.api.mount('/bench', `file://${source}`);
  const id = await cluster.api.load({ paths: ['/bench'] });
  await cluster.api.waitForJob(id);
  const targets = { health: '/healthz', progress: `/api/v1/load?id=${id}`, mounts: '/api/v1/mount' };
  const results = Object.fromEntries(Object.keys(targets).map((name) => [name, []]));
  for (const target of Object.values(targets)) await measure(pool, target);
  for (let round = 0; round < rounds; round++) {
    const order = Object.entries(targets);
    for (const [name, target] of [...order.slice(round % 3), ...order.slice(0, round % 3)]) {
      results[name].push(await measure(pool, target));
    }
  }
  for (const [name, all] of Object.entries(results)) {
    const ratios = all.map(({ perSecond }, i) => perSecond / results.health[i].perSecond);
    console.log(
      `${name.padEnd(9)} ${median(all.map((one) => one.perSecond))
        .toFixed(0)
        .padStart(6)}/s` +
        `  p99 ${median(all.map((one) => one.p99))
          .toFixed(1)
          .padStart(5)} ms` +
        `  ratio to /healthz ${median(ratios).toFixed(2)} (${ratios.map((one) => one.toFixed(2)).join(', ')})`,
    );
  }
} finally {
  await pool.destroy();
  await cluster.dispose();
  fs.rmSync(source, { recursive: true });
}
