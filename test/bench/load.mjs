// Files/s and MB/s of a load against the tool that people would otherwise use, in turn in the same minute: `cp -r` for
// local files, `rclone copy` for S3. Needs a build (`npm run build`), and rclone for the S3 half (`apt-get install
// rclone`). Every round starts a fresh cluster, so that no copy is already cached; its start is not timed.
//
//   node test/bench/load.mjs [--files 20000] [--size 16384] [--large 4] [--large-size 134217728] [--rounds 4] [--only file|s3]
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { s3TestCredentials, startCluster, startS3Process } from '../../dist/libs/testing/index.js';

const { values } = parseArgs({
  options: {
    files: { type: 'string', default: '20000' },
    size: { type: 'string', default: '16384' },
    large: { type: 'string', default: '4' },
    'large-size': { type: 'string', default: String(128 * 1024 * 1024) },
    rounds: { type: 'string', default: '4' },
    only: { type: 'string' },
  },
});
const rounds = Number(values.rounds);
const work = fs.mkdtempSync(path.join(os.tmpdir(), 'larder-bench-'));

function makeTree(name, count, size) {
  const directory = path.join(work, name);
  const block = Buffer.alloc(size);
  for (let i = 0; i < size; i += 4) block.writeUInt32LE(Math.imul(i + 1, 2654435761) >>> 0, i);
  for (let i = 0; i < count; i++) {
    const file = path.join(directory, String(i % 100), `${i}.bin`);
    if (i < 100) fs.mkdirSync(path.dirname(file), { recursive: true });
    block.writeUInt32LE(i, 0);
    fs.writeFileSync(file, block);
  }
  return { name, directory, files: count, bytes: count * size };
}

function run(command, args, env = {}) {
  const started = performance.now();
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: 'inherit', env: { ...process.env, ...env } });
    child.once('error', reject);
    child.once('exit', (code) =>
      code === 0 ? resolve((performance.now() - started) / 1000) : reject(new Error(`${command} exited with ${code}`)),
    );
  });
}

async function larder(tree, ufs, options) {
  const cluster = await startCluster({ env: { LARDER_CACHE_BYTES: '8GiB' } });
  try {
    await cluster.api.mount('/bench', ufs, options);
    const started = performance.now();
    const body = { paths: ['/bench'], options: { sync: true } };
    const answer = await cluster.api.request('POST', '/load', { body, timeoutMs: 600_000 });
    const seconds = (performance.now() - started) / 1000;
    const { state, loadedFiles, loadedBytes } = answer.body;
    if (state !== 'SUCCEEDED' || loadedFiles !== tree.files || loadedBytes !== tree.bytes) {
      throw new Error(`the load did not end as it should: ${JSON.stringify(answer.body)}`);
    }
    return seconds;
  } finally {
    await cluster.dispose();
  }
}

const median = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];

async function compare(label, tree, peerName, peer, larderRun) {
  const ratios = [];
  const seconds = { larder: [], peer: [] };
  for (let round = 0; round < rounds; round++) {
    // Who goes first alternates: the first to touch the source pays for the page cache.
    const order = round % 2 === 0 ? ['larder', 'peer'] : ['peer', 'larder'];
    for (const who of order) seconds[who].push(await (who === 'larder' ? larderRun() : peer()));
    ratios.push(seconds.peer.at(-1) / seconds.larder.at(-1));
  }
  const rate = (all) => {
    const s = median(all);
    return `${Math.round(tree.files / s)} files/s, ${(tree.bytes / s / 1e6).toFixed(0)} MB/s`;
  };
  console.log(`${label}: Larder ${rate(seconds.larder)}; ${peerName} ${rate(seconds.peer)}`);
  console.log(
    `  ratio to ${peerName}: median ${median(ratios).toFixed(2)} (${ratios.map((r) => r.toFixed(2)).join(', ')})`,
  );
}

let copies = 0;
function freshCopy() {
  return path.join(work, `copy-${copies++}`);
}

async function timedCopy(command, args, target, env) {
  const seconds = await run(command, args, env);
  fs.rmSync(target, { recursive: true });
  return seconds;
}

async function compareFile(tree) {
  // A load says "done" when the bytes are on the disk, cp when they are in the page cache: both comparisons are shown.
  const peers = { 'cp -r': 'cp -r "$0" "$1"', 'cp -r and sync': 'cp -r "$0" "$1" && sync -f "$1"' };
  for (const [name, script] of Object.entries(peers)) {
    const copy = () => {
      const target = freshCopy();
      return timedCopy('sh', ['-c', script, tree.directory, target], target);
    };
    await compare(`file://, ${tree.name}`, tree, name, copy, () => larder(tree, `file://${tree.directory}`));
  }
}

async function compareS3(tree) {
  const logs = fs.mkdtempSync(path.join(work, 'logs-'));
  const s3 = await startS3Process({ bench: tree.directory }, logs);
  try {
    const config = path.join(work, 'rclone.conf');
    const { accessKeyId, secretAccessKey } = s3TestCredentials;
    fs.writeFileSync(
      config,
      `[l]\ntype = s3\nprovider = Other\nendpoint = ${s3.endpoint}\naccess_key_id = ${accessKeyId}\n` +
        `secret_access_key = ${secretAccessKey}\nregion = us-east-1\nforce_path_style = true\nlist_version = 2\n`,
    );
    const rclone = () => {
      const target = freshCopy();
      const args = ['--config', config, '--s3-no-head-object', '--use-server-modtime', '-q', 'copy', 'l:bench', target];
      return timedCopy('env', ['-u', 'AWS_CA_BUNDLE', 'rclone', ...args], target);
    };
    await compare(`s3://, ${tree.name}`, tree, 'rclone copy', rclone, () =>
      larder(tree, 's3://bench', s3.mountOptions),
    );
  } finally {
    await s3.process.stop();
  }
}

try {
  console.log(
    `${os.cpus().length} cores, Node ${process.versions.node}, ${rounds} rounds each; load average ${os.loadavg()[0].toFixed(1)}`,
  );
  const trees = [
    makeTree(`${values.files} files of ${values.size} bytes`, Number(values.files), Number(values.size)),
    makeTree(
      `${values.large} files of ${values['large-size']} bytes`,
      Number(values.large),
      Number(values['large-size']),
    ),
  ];
  for (const tree of trees) {
    if (values.only !== 's3') await compareFile(tree);
    if (values.only === 'file') continue;
    if (spawnSync('rclone', ['version']).error) console.log('rclone is not installed: the S3 half is left out');
    else await compareS3(tree);
  }
} finally {
  fs.rmSync(work, { recursive: true, force: true });
}
