// Commands a second: `POST /api/v1/ttl` on distinct paths, from many connections at once, through one coordinator or
// several, against raw guarded appends to the same nats-server, one after the other. Needs a build.
//
//   node test/bench/commands.mjs [--commands 3000] [--connections 50] [--coordinators 1,3] [--rounds 3]
import { Pool } from 'undici';
import { openTestLog, note, startCluster, startTestNats } from '../../dist/libs/testing/index.js';
import { bench } from './support/bench.mjs';
import { inTurn, median, quantile, spread } from './support/rounds.mjs';

/** What came of it, and how long each took. */
async function policies({ commands, connections, coordinators }) {
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
async function appends({ commands }) {
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

await bench({
  title: 'commands a second',
  options: { commands: 1000, connections: 50, coordinators: '1,3', rounds: 1 },
  async run(options, { progress }) {
    const rows = [];
    for (const coordinators of options.coordinators.split(',').map(Number)) {
      const { raw, whole } = await inTurn(options.rounds, {
        raw: () => appends(options),
        whole: () => policies({ ...options, coordinators }),
      });
      for (const { failed } of whole) {
        if (Object.keys(failed).length > 0) progress(`failed: ${JSON.stringify(failed)}`);
      }
      const of = (field) => median(whole.map((one) => one[field])).toFixed(1);
      rows.push([
        coordinators,
        spread(whole.map(({ rate }) => rate)),
        `${of('p50')}, ${of('p99')}`,
        spread(raw),
        spread(whole.map(({ rate }, i) => rate / raw[i])),
      ]);
    }
    return { columns: ['coordinators', 'commands/s', 'p50, p99 ms', 'raw appends/s', 'ratio'], rows };
  },
});
