// Large objects, from local files and from an S3 endpoint that costs next to nothing (nginx), against `cp -r`, `cp -r` with
// `sync`, and rclone. Needs a build; nginx and rclone for the S3 half (`apt-get install nginx-light rclone`). Each round
// starts a fresh cluster; its start is not timed. Prints a Markdown table, with the CPU time of all processes of each side.
//
//   node test/bench/large.mjs [--files 8] [--size 268435456] [--rounds 2] [--only file|s3] [--no-peer]
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { s3MountOptions, startCluster } from '../../dist/libs/testing/index.js';
import { hasNginx, startNginxS3 } from './support/nginx-s3.mjs';
import { cpuOf, inTurn, rows, runScript, warmPages } from './support/participants.mjs';

const { values } = parseArgs({
  options: {
    files: { type: 'string', default: '8' },
    size: { type: 'string', default: String(256 * 1024 * 1024) },
    rounds: { type: 'string', default: '2' },
    only: { type: 'string' },
    'no-peer': { type: 'boolean', default: false },
  },
});
const [count, size, rounds] = [values.files, values.size, values.rounds].map(Number);
const bytes = count * size;
const work = fs.mkdtempSync(path.join(os.tmpdir(), 'larder-large-'));
const source = path.join(work, 'source');

function makeFiles() {
  fs.mkdirSync(source);
  const block = Buffer.alloc(Math.min(size, 1024 * 1024));
  for (let i = 0; i < block.length; i += 4) block.writeUInt32LE(Math.imul(i + 1, 2654435761) >>> 0, i);
  for (let file = 0; file < count; file++) {
    const fd = fs.openSync(path.join(source, `${String(file).padStart(4, '0')}.bin`), 'w');
    for (let at = 0; at < size; at += block.length) {
      block.writeUInt32LE(file * 65536 + at / block.length, 0);
      fs.writeSync(fd, block, 0, Math.min(block.length, size - at));
    }
    fs.closeSync(fd);
  }
  spawnSync('sync', ['-f', source]);
}

async function larder(ufs, options) {
  const cluster = await startCluster({ env: { LARDER_CACHE_BYTES: '16GiB' } });
  try {
    await cluster.api.mount('/bench', ufs, options);
    const processes = [...cluster.processes, cluster.nats];
    const cpuNow = () => processes.map(({ pid }) => cpuOf(pid)).reduce((sum, one) => sum + one, 0);
    warmPages(work, bytes);
    const cpuBefore = cpuNow();
    const started = performance.now();
    const body = { paths: ['/bench'], options: { sync: true } };
    const answer = await cluster.api.request('POST', '/load', { body, timeoutMs: 600_000 });
    const seconds = (performance.now() - started) / 1000;
    const { state, loadedFiles, loadedBytes } = answer.body;
    if (state !== 'SUCCEEDED' || loadedFiles !== count || loadedBytes !== bytes) {
      throw new Error(`the load did not end as it should: ${JSON.stringify(answer.body)}`);
    }
    return { seconds, cpu: cpuNow() - cpuBefore };
  } finally {
    await cluster.dispose();
  }
}

async function copied(script, args) {
  const target = path.join(work, 'copy');
  warmPages(work, bytes);
  const result = await runScript(script, [...args, target]);
  fs.rmSync(target, { recursive: true });
  return result;
}

const peer = (participants) => (values['no-peer'] ? {} : participants);
const compare = async (label, participants) => {
  const results = await inTurn(rounds, participants);
  for (const [name, all] of Object.entries(results)) {
    const each = all.map((one) => `${(bytes / 1e6 / one.seconds).toFixed(0)} MB/s (${one.cpu.toFixed(1)} s of CPU)`);
    console.log(`${label}, ${name}: ${each.join(', ')}`);
  }
  return rows(label, bytes / 1e6, 'MB/s', results);
};

const compareFile = () =>
  compare(`file://, ${count} files of ${size / 2 ** 20} MiB`, {
    Larder: () => larder(`file://${source}`),
    ...peer({
      '`cp -r`': () => copied('cp -r "$0" "$1"', [source]),
      '`cp -r` and `sync`': () => copied('cp -r "$0" "$1"; sync -f "$1"', [source]),
    }),
  });

async function compareS3() {
  const s3 = await startNginxS3('bench', source, work);
  const config = path.join(work, 'rclone.conf');
  fs.writeFileSync(
    config,
    `[l]\ntype = s3\nprovider = Other\nendpoint = ${s3.endpoint}\naccess_key_id = bench\nsecret_access_key = bench\n` +
      `region = us-east-1\nforce_path_style = true\nlist_version = 2\n`,
  );
  const rclone =
    'env -u AWS_CA_BUNDLE rclone --config "$0" --s3-no-head-object --use-server-modtime --ignore-checksum -q copy l:bench "$1"';
  try {
    return await compare(`s3://, ${count} objects of ${size / 2 ** 20} MiB`, {
      Larder: () => larder('s3://bench/', s3MountOptions(s3.endpoint)),
      ...peer({ 'rclone copy': () => copied(rclone, [config]) }),
    });
  } finally {
    await s3.stop();
  }
}

try {
  console.log(
    `${os.cpus().length} cores, Node ${process.versions.node}, ${rounds} rounds each; load average ${os.loadavg()[0].toFixed(1)}`,
  );
  makeFiles();
  const table = [];
  if (values.only !== 's3') table.push(...(await compareFile()));
  if (values.only !== 'file') {
    const missing = [hasNginx() ? '' : 'nginx', spawnSync('rclone', ['version']).error ? 'rclone' : ''].filter(Boolean);
    if (missing.length > 0) console.log(`${missing.join(' and ')} not installed: the S3 half is left out`);
    else table.push(...(await compareS3()));
  }
  console.log('\n| source | peer | ratio, median (rounds) | Larder | peer | CPU of Larder | CPU of the peer |');
  console.log('|---|---|---|---|---|---|---|');
  for (const row of table) console.log(row);
} finally {
  fs.rmSync(work, { recursive: true, force: true });
}
