// Commands a second: `POST /api/v1/ttl` on distinct paths, from many connections at once, through one coordinator or
// several, against raw guarded appends to the same nats-server, one after the other. Needs a build.
//
//   node test/bench/commands.mjs [--commands 3000] [--connections 50] [--coordinators 1] [--rounds 3]
import os from 'node:os';
import { parseArgs } from 'node:util';
import { Pool } from 'undici';
import { openTestLog, note, startCluster, startTestNats } from '../../dist/libs/testing/index.js';

const { values } = parseArgs({
  options: {
    commands: { type: 'string', default: '3000' },
    connections: { type: 'string', default: '50' },
    coordinators: { type: 'string', default: '1' },
    rounds: { type: 'string', default: '3' },
  },
});
const [commands, connections, coordinators, rounds] = [
  values.commands,
  values.connections,
  values.coordinators,
  values.rounds,
].map(Number);

const quantile = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];

/** What came of it, and how long each took. */
async function policies() {
  const cluster = await startCluster({ coordinators, workers: 1 });
  const pools = cluster.coordinators.map(({ api }) => new Pool(api.baseUrl, { connections }));
  try {
    await cluster.api.mount('/bench', `file://${cluster.directory}`);
    const took = [];
    const failed = {};
    let next = 0;
    const started = performance.now();
    await Promise.all(
      Array.from({ length: connections }, async (_, i) => {
        const pool = pools[i % pools.length];
        while (next < commands) {
          const body = JSON.stringify({ path: `/bench/directory-${next++}`, ttlSeconds: 600 });
          const begunMs = performance.now();
          const answer = await pool.request({
            method: 'POST',
            path: '/api/v1/ttl',
            headers: { 'content-type': 'application/json' },
            body,
          });
          const text = await answer.body.text();
          took.push(performance.now() - begunMs);
          if (answer.statusCode !== 200) failed[`${answer.statusCode} ${text}`] = (failed[text] ?? 0) + 1;
        }
      }),
    );
    const seconds = (performance.now() - started) / 1000;
    took.sort((a, b) => a - b);
    return { rate: commands / seconds, p50: quantile(took, 0.5), p99: quantile(took, 0.99), failed };
  } finally {
    await Promise.all(pools.map((pool) => pool.close()));
    await cluster.dispose();
  }
}

/** Guarded appends to one boundary, each after the one before it. */
async function appends() {
  const nats = await startTestNats();
  const log = await openTestLog(nats.url);
  try {
    let sequence = 0;
    const started = performance.now();
    for (let i = 0; i < commands; i++) ({ sequence } = await log.store.append('bench', sequence, [note(`${i}`)]));
    return commands / ((performance.now() - started) / 1000);
  } finally {
    await log.close();
    await nats.stop();
  }
}

console.log(
  `${os.cpus().length} cores, Node ${process.versions.node}, load average ${os.loadavg()[0].toFixed(1)}; ` +
    `${commands} commands, ${connections} connections, ${coordinators} coordinator(s)`,
);
for (let round = 0; round < rounds; round++) {
  const raw = await appends();
  const { rate, p50, p99, failed } = await policies();
  console.log(
    `${rate.toFixed(0)} commands/s, p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms; raw appends ${raw.toFixed(0)}/s; ` +
      `ratio ${(rate / raw).toFixed(2)}; failed ${JSON.stringify(failed)}`,
  );
}
