// Loads from an S3 endpoint as it is over a network (`support/network-s3.mjs`), against what the same endpoint gives to a
// bare loop of requests, and against rclone (`apt-get install rclone`) where it is installed. Needs a build.
//
//   node test/bench/network.mjs [--ttfb 5,30,100] [--files 50000] [--large-bytes 4294967296] [--rounds 3]
//                               [--only small|large|capped] [--no-peer]
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { Pool } from 'undici';
import { s3MountOptions, startCluster } from '../../dist/libs/testing/index.js';

const { values } = parseArgs({
  options: {
    ttfb: { type: 'string', default: '5,30,100' },
    files: { type: 'string', default: '50000' },
    'large-bytes': { type: 'string', default: String(4 * 1024 ** 3) },
    rounds: { type: 'string', default: '3' },
    only: { type: 'string' },
    refused: { type: 'string', default: '0.01' },
    'no-peer': { type: 'boolean', default: false },
  },
});
const files = Number(values.files);
const largeBytes = Number(values['large-bytes']);
const rounds = Number(values.rounds);
const work = fs.mkdtempSync(path.join(os.tmpdir(), 'larder-network-'));
const ticksPerSecond = 100;

/** CPU seconds of a process and of its children that have ended. */
function cpuOf(pid) {
  try {
    const fields = fs.readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
    return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) / ticksPerSecond;
  } catch {
    return 0;
  }
}

async function startEndpoint(options) {
  const script = path.join(import.meta.dirname, 'support/network-s3.mjs');
  const child = spawn(process.execPath, [script, JSON.stringify(options)], { stdio: ['ignore', 'pipe', 'inherit'] });
  const line = await new Promise((resolve) => child.stdout.once('data', (data) => resolve(String(data))));
  const endpoint = `http://127.0.0.1:${/\d+/.exec(line)[0]}`;
  return {
    endpoint,
    stats: async () => (await fetch(`${endpoint}/stats`)).json(),
    stop: () => new Promise((resolve) => (child.once('exit', resolve), child.kill('SIGKILL'))),
  };
}

async function larder(endpoint, prefix, expected) {
  const cluster = await startCluster({ env: { LARDER_CACHE_BYTES: '16GiB' } });
  try {
    await cluster.api.mount('/bench', `s3://bench/${prefix}`, s3MountOptions(endpoint));
    const pids = [...cluster.processes, cluster.nats].map(({ pid }) => pid);
    const cpuBefore = pids.map(cpuOf);
    const started = performance.now();
    const body = { paths: ['/bench'], options: { sync: true } };
    const answer = await cluster.api.request('POST', '/load', { body, timeoutMs: 900_000 });
    const seconds = (performance.now() - started) / 1000;
    const cpu = pids.reduce((sum, pid, i) => sum + cpuOf(pid) - cpuBefore[i], 0);
    const { state, loadedFiles, loadedBytes } = answer.body;
    if (state !== 'SUCCEEDED' || loadedFiles !== expected.files || loadedBytes !== expected.bytes) {
      throw new Error(`the load did not end as it should: ${JSON.stringify(answer.body)}`);
    }
    return { seconds, cpu };
  } finally {
    await cluster.dispose();
  }
}

/** What so many requests under way at once bring, without a disk: `count` requests of `bytes` each. */
async function bareLoop(endpoint, inFlight, count, pathAndHeaders) {
  const pool = new Pool(endpoint, { connections: inFlight });
  const started = performance.now();
  let next = 0;
  await Promise.all(
    Array.from({ length: inFlight }, async () => {
      while (next < count) {
        const request = pathAndHeaders(next++);
        for (;;) {
          const { statusCode, body } = await pool.request({ method: 'GET', ...request });
          for await (const _ of body);
          if (statusCode < 300) break;
        }
      }
    }),
  );
  const seconds = (performance.now() - started) / 1000;
  await pool.destroy();
  return seconds;
}

function rclone(endpoint, prefix, transfers) {
  const config = path.join(work, 'rclone.conf');
  fs.writeFileSync(
    config,
    `[l]\ntype = s3\nprovider = Other\nendpoint = ${endpoint}\naccess_key_id = bench\nsecret_access_key = bench\n` +
      `region = us-east-1\nforce_path_style = true\nlist_version = 2\n`,
  );
  const target = path.join(work, 'copy');
  const args = [
    '--config',
    config,
    '--s3-no-head-object',
    '--use-server-modtime',
    '-q',
    '--transfers',
    String(transfers),
  ];
  const more = ['--multi-thread-streams', '16', '--multi-thread-cutoff', '16M', '--ignore-checksum'];
  const started = performance.now();
  return new Promise((resolve) => {
    const child = spawn('rclone', [...args, ...more, 'copy', `l:bench/${prefix}`, target], { stdio: 'inherit' });
    child.once('error', () => resolve(undefined));
    child.once('exit', (code) => {
      const seconds = (performance.now() - started) / 1000;
      fs.rmSync(target, { recursive: true, force: true });
      resolve(code === 0 ? { seconds } : undefined);
    });
  });
}

const median = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];

/** Runs all in turn, so that what else the machine does meets each of them. */
async function compare(label, amount, unit, participants) {
  const results = Object.fromEntries(Object.keys(participants).map((name) => [name, []]));
  const names = Object.keys(participants);
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < names.length; i++) {
      const name = names[(i + round) % names.length];
      const result = await participants[name]();
      if (result !== undefined) results[name].push(result);
    }
  }
  console.log(label);
  const own = results.Larder;
  for (const [name, all] of Object.entries(results)) {
    if (all.length === 0) {
      console.log(`  ${name}: left out, it is not installed or failed`);
      continue;
    }
    const rates = all.map(({ seconds }) => amount / seconds);
    const ratio =
      name === 'Larder'
        ? ''
        : `; Larder's ratio ${own
            .map(({ seconds }, i) => (all[i] === undefined ? '' : (all[i].seconds / seconds).toFixed(2)))
            .join(', ')}`;
    const cpu = all[0].cpu === undefined ? '' : `, ${median(all.map(({ cpu }) => cpu)).toFixed(1)} s of CPU`;
    console.log(
      `  ${name}: ${median(rates).toFixed(0)} ${unit} (${rates.map((r) => r.toFixed(0)).join(', ')})${cpu}${ratio}`,
    );
  }
}

const peer = (run) => (values['no-peer'] ? {} : run);

async function small(ttfbMs, more, label) {
  const endpoint = await startEndpoint({ small: files, ttfbMs, refused: Number(values.refused), ...more });
  const keyOf = (i) => {
    const directory = Math.floor((i * 100) / files);
    return `/bench/small/${String(directory).padStart(5, '0')}/${String(i).padStart(9, '0')}`;
  };
  const limit = async () => {
    const tries = [];
    for (const inFlight of [128, 256, 512]) {
      tries.push(await bareLoop(endpoint.endpoint, inFlight, files, (i) => ({ path: keyOf(i) })));
    }
    return { seconds: Math.min(...tries) };
  };
  try {
    await compare(label, files, 'files/s', {
      Larder: () => larder(endpoint.endpoint, 'small/', { files, bytes: files * 16 * 1024 }),
      'bare loop of GETs, best of 128, 256, 512 at once': limit,
      ...peer({ 'rclone --transfers 256': () => rclone(endpoint.endpoint, 'small/', 256) }),
    });
    console.log(`  endpoint: ${JSON.stringify(await endpoint.stats())}`);
  } finally {
    await endpoint.stop();
  }
}

async function large() {
  const endpoint = await startEndpoint({ large: 1, largeBytes, ttfbMs: 30, refused: 0 });
  const part = 32 * 1024 * 1024;
  const ranged = (i) => ({
    path: '/bench/large/000000',
    headers: { range: `bytes=${i * part}-${Math.min((i + 1) * part, largeBytes) - 1}` },
  });
  try {
    await compare(
      `one object of ${(largeBytes / 1e9).toFixed(1)} GB, 30 ms, 60 MB/s a connection`,
      largeBytes / 1e6,
      'MB/s',
      {
        Larder: () => larder(endpoint.endpoint, 'large/', { files: 1, bytes: largeBytes }),
        'bare loop, 16 connections': async () => ({
          seconds: await bareLoop(endpoint.endpoint, 16, Math.ceil(largeBytes / part), ranged),
        }),
        ...peer({ 'rclone, 16 streams': () => rclone(endpoint.endpoint, 'large/', 4) }),
      },
    );
  } finally {
    await endpoint.stop();
  }
}

try {
  console.log(
    `${os.cpus().length} cores, Node ${process.versions.node}, ${rounds} rounds each; load average ${os.loadavg()[0].toFixed(1)}`,
  );
  const only = (name) => values.only === undefined || values.only === name;
  if (only('small')) {
    for (const ttfb of values.ttfb.split(',').map(Number)) {
      await small(ttfb, {}, `${files} objects of 16 KiB, ${ttfb} ms to the first byte, 1 % refused`);
    }
  }
  if (only('capped')) {
    await small(30, { requestRate: 1500 }, `${files} objects of 16 KiB, 30 ms, at most 1,500 requests a second`);
  }
  if (only('large')) await large();
} finally {
  fs.rmSync(work, { recursive: true, force: true });
}
