// Loads from an S3 endpoint as it is over a network (`support/network-s3.mjs`), against the endpoint's own limit, which a bare
// loop of requests shows without a disk, and against rclone and s5cmd. Needs a build.
//
//   node test/bench/network.mjs [--ttfb 5,30,100] [--files 50000] [--large-bytes 4294967296] [--rounds 3]
//                               [--refused 0.01] [--cap 1500] [--only small|large|capped]
import { Pool } from 'undici';
import { s3MountOptions } from '../../dist/libs/testing/index.js';
import { bench } from './support/bench.mjs';
import { networkEndpoint } from './support/endpoints.mjs';
import { timedLoad } from './support/loads.mjs';
import { intoFresh, rclone, s5cmd } from './support/peers.mjs';
import { withDirectory } from './support/processes.mjs';
import { comparisonColumns, comparisonRows, cpuPerFile, cpuPerGigabyte, inTurn } from './support/rounds.mjs';

const smallBytes = 16 * 1024;
const partBytes = 32 * 1024 * 1024;
const transfers = 256;

/** `count` requests with so many at once; refused ones are repeated at once. @returns seconds */
async function bareLoop(endpoint, inFlight, count, requestOf) {
  const pool = new Pool(endpoint, { connections: inFlight });
  const started = performance.now();
  let next = 0;
  const lane = async () => {
    while (next < count) {
      const request = { method: 'GET', ...requestOf(next++) };
      for (let refused = true; refused;) {
        const { statusCode, body } = await pool.request(request);
        for await (const _ of body);
        refused = statusCode >= 300;
      }
    }
  };
  await Promise.all(Array.from({ length: inFlight }, lane));
  const seconds = (performance.now() - started) / 1000;
  await pool.destroy();
  return seconds;
}

/** What the endpoint itself gives: the best of several numbers of requests at once. */
async function limitOf({ endpoint }, numbers, count, requestOf) {
  const tries = [];
  for (const inFlight of numbers) tries.push(await bareLoop(endpoint, inFlight, count, requestOf));
  return { seconds: Math.min(...tries) };
}

await bench({
  title: 'loads from a store over a network against rclone, s5cmd and the store’s own limit',
  options: {
    ttfb: '5,30,100',
    files: 6000,
    'large-bytes': 512 * 2 ** 20,
    rounds: 1,
    refused: 0.01,
    cap: 1500,
    only: '',
  },
  run: (options, tools) =>
    withDirectory(async (work) => {
      const { files, rounds, refused, only } = options;
      const peers = { 'rclone copy': rclone(tools), 's5cmd cp': s5cmd(tools) };
      const rows = [];
      const copies = (store, how, label) =>
        Object.fromEntries(
          Object.entries(peers)
            .filter(([, copy]) => copy !== undefined)
            .map(([name, copy]) => [`${name}, ${label}`, () => intoFresh(work, (target) => copy(store, target, how))]),
        );

      const keyOf = (i) => {
        const directory = String(Math.floor((i * 100) / files)).padStart(5, '0');
        return { path: `/bench/small/${directory}/${String(i).padStart(9, '0')}` };
      };
      const small = async (label, more) => {
        tools.progress(label);
        const store = await networkEndpoint({ small: files, smallBytes, ...more });
        const expected = { files, bytes: files * smallBytes };
        try {
          const results = await inTurn(rounds, {
            Larder: () => timedLoad('s3://bench/small/', s3MountOptions(store.endpoint), expected),
            'endpoint’s limit: bare GETs, best of 128, 256, 512 at once': () =>
              limitOf(store, [128, 256, 512], files, keyOf),
            ...copies({ ...store, prefix: 'small/' }, { transfers }, `${transfers} at once`),
          });
          rows.push(
            ...comparisonRows(results, { work: label, amount: files, unit: 'files/s', cpuPer: cpuPerFile(files) }),
          );
          const { refused: answered503, gets, mostUnderWay } = await store.stats();
          tools.progress(`${gets} GETs, ${answered503} refused, at most ${mostUnderWay} under way`);
        } finally {
          await store.stop();
        }
      };

      const large = async () => {
        const bytes = options['large-bytes'];
        const label = `one object of ${(bytes / 1e9).toFixed(1)} GB, 30 ms, 60 MB/s a connection`;
        tools.progress(label);
        const store = await networkEndpoint({ large: 1, largeBytes: bytes, ttfbMs: 30, refused: 0 });
        const ranged = (i) => ({
          path: '/bench/large/000000',
          headers: { range: `bytes=${i * partBytes}-${Math.min((i + 1) * partBytes, bytes) - 1}` },
        });
        try {
          const results = await inTurn(rounds, {
            Larder: () => timedLoad('s3://bench/large/', s3MountOptions(store.endpoint), { files: 1, bytes }),
            'endpoint’s limit: bare ranges, best of 8, 16, 32 at once': () =>
              limitOf(store, [8, 16, 32], Math.ceil(bytes / partBytes), ranged),
            ...copies({ ...store, prefix: 'large/' }, { transfers: 4, streams: 16 }, '16 streams'),
          });
          rows.push(
            ...comparisonRows(results, {
              work: label,
              amount: bytes / 1e6,
              unit: 'MB/s',
              cpuPer: cpuPerGigabyte(bytes),
            }),
          );
        } finally {
          await store.stop();
        }
      };

      const count = files.toLocaleString('en-US');
      if (only === '' || only === 'small') {
        for (const ttfbMs of options.ttfb.split(',').map(Number)) {
          await small(`${count} × 16 KiB, ${ttfbMs} ms`, { ttfbMs, refused });
        }
      }
      if (only === '' || only === 'capped') {
        const cap = options.cap.toLocaleString('en-US');
        await small(`${count} × 16 KiB, 30 ms, at most ${cap} requests a second`, {
          ttfbMs: 30,
          refused: 0,
          requestRate: options.cap,
        });
      }
      if (only === '' || only === 'large') await large();
      return { columns: comparisonColumns, rows };
    }),
});
