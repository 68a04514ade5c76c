// What durability of the log costs: appends to one nats-server and to three, flushed to the disk before each
// acknowledgement (`sync_interval: always`) and not (the default, every two minutes), in turn within the same minute.
//
//   node test/bench/durability.mjs [--rounds 3] [--seconds 3]
//
// One writer after the other tells latency, 64 writers at once tell throughput. All servers share this machine's disk.
import { note, openTestLog, startTestNats, startTestNatsCluster } from '#testing';
import { bench } from './support/bench.mjs';
import { median, quantile, rounded, spread } from './support/rounds.mjs';

const writersAtOnce = 64;

const setups = [
  { name: 'one server, default', servers: 1, syncAlways: false },
  { name: 'one server, sync always', servers: 1, syncAlways: true },
  { name: 'three servers, default', servers: 3, syncAlways: false },
  { name: 'three servers, sync always', servers: 3, syncAlways: true },
];

async function open({ servers, syncAlways }) {
  const nats = servers === 1 ? await startTestNats({ syncAlways }) : await startTestNatsCluster({ syncAlways });
  const log = await openTestLog(nats.url, { replicas: servers, connectTimeoutMs: 20_000 });
  return { log, close: async () => (await log.close(), await nats.stop()) };
}

/** @returns appends a second, and each one's milliseconds, sorted */
async function measure({ store }, writers, round, seconds) {
  const took = [];
  const startedAt = performance.now();
  const endAt = startedAt + seconds * 1000;
  const write = async (writer) => {
    let expected = 0;
    const boundary = `bench.${round}-${writers}-${writer}`;
    while (performance.now() < endAt) {
      const from = performance.now();
      ({ sequence: expected } = await store.append(boundary, expected, [note('x'.repeat(300))], { budgetMs: 30_000 }));
      took.push(performance.now() - from);
    }
  };
  await Promise.all(Array.from({ length: writers }, (_, writer) => write(writer)));
  const rate = took.length / ((performance.now() - startedAt) / 1000);
  return { rate, took: took.sort((a, b) => a - b) };
}

await bench({
  title: 'what durability of the log costs',
  options: { rounds: 3, seconds: 1 },
  async run({ rounds, seconds }) {
    const opened = [];
    try {
      for (const setup of setups) opened.push(await open(setup));
      const results = setups.map(() => ({ alone: [], together: [], p50: [], p99: [] }));
      for (let round = 0; round < rounds; round++) {
        for (const [index, { log }] of opened.entries()) {
          const alone = await measure(log, 1, round, seconds);
          const together = await measure(log, writersAtOnce, round, seconds);
          results[index].alone.push(alone.rate);
          results[index].together.push(together.rate);
          results[index].p50.push(quantile(alone.took, 0.5));
          results[index].p99.push(quantile(alone.took, 0.99));
        }
      }
      const [base] = results;
      const ratios = (key, result) => spread(result[key].map((value, round) => value / base[key][round]));
      const rows = results.map((result, index) => [
        setups[index].name,
        ratios('alone', result),
        rounded(median(result.alone)),
        [result.p50, result.p99].map((all) => median(all).toFixed(2)).join(', '),
        ratios('together', result),
        rounded(median(result.together)),
      ]);
      const columns = ['setup', 'one writer: ratio', 'appends/s', 'p50, p99 ms', '64 writers: ratio', 'appends/s'];
      return { columns, rows };
    } finally {
      for (const one of opened) await one.close();
    }
  },
});
process.exit(0);
