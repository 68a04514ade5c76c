// What durability of the log costs: appends to one nats-server and to three, flushed to the disk before each
// acknowledgement (`sync_interval: always`) and not (the default, every two minutes), in turn within the same minute.
//
//   node test/bench/durability.mjs [--rounds 3] [--seconds 3]
//
// One writer after the other tells latency, 64 writers at once tell throughput. All servers share this machine's disk.
import process from 'node:process';
import { parseArgs } from 'node:util';
import { note, openTestLog, startTestNats, startTestNatsCluster } from '#testing';

const { values } = parseArgs({ options: { rounds: { type: 'string' }, seconds: { type: 'string' } } });
const rounds = Number(values.rounds ?? 3);
const seconds = Number(values.seconds ?? 3);
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
async function measure({ store }, writers, round) {
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

const median = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];
const quantile = (sorted, q) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))];

const opened = [];
try {
  for (const setup of setups) opened.push(await open(setup));
  const results = setups.map(() => ({ alone: [], together: [], p50: [], p99: [] }));
  for (let round = 0; round < rounds; round++) {
    for (const [index, { log }] of opened.entries()) {
      const alone = await measure(log, 1, round);
      const together = await measure(log, writersAtOnce, round);
      results[index].alone.push(alone.rate);
      results[index].together.push(together.rate);
      results[index].p50.push(quantile(alone.took, 0.5));
      results[index].p99.push(quantile(alone.took, 0.99));
    }
  }
  const [base] = results;
  const ratios = (key, result) => result[key].map((value, round) => value / base[key][round]);
  const shown = (numbers) =>
    `${median(numbers).toFixed(2)} (${numbers
      .map((one) => one.toFixed(2))
      .sort()
      .join(', ')})`;
  console.log(`${rounds} rounds of ${seconds} s; 300 bytes; ratios to "${setups[0].name}" in the same round`);
  console.log('| setup | one writer: ratio | appends/s | p50, p99 ms | 64 writers: ratio | appends/s |');
  console.log('|---|---|---|---|---|---|');
  for (const [index, { name }] of setups.entries()) {
    const result = results[index];
    const [p50, p99] = [median(result.p50), median(result.p99)].map((ms) => ms.toFixed(2));
    const [alone, together] = [median(result.alone), median(result.together)].map((rate) => Math.round(rate));
    console.log(
      `| ${name} | ${shown(ratios('alone', result))} | ${alone} | ${p50}, ${p99} | ${shown(ratios('together', result))} | ${together} |`,
    );
  }
} finally {
  for (const one of opened) await one.close();
}
process.exit(0);
