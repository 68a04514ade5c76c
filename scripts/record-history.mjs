// Records the history of a small cluster's life for test/histories: what this version writes, later versions must read.
// Needs a build. Run once for every released version of the events, and commit what it writes:
//
//   node scripts/record-history.mjs <name>
import './check-node.mjs';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { allEvents } from '../dist/libs/contexts/catalogue/index.js';
import { connectNats, EventCodec, EventStore, Names } from '../dist/libs/jetstream/index.js';
import { startCluster, startTestNats } from '../dist/libs/testing/index.js';

const [name] = process.argv.slice(2);
if (!/^[a-z0-9.-]+$/.test(name ?? '')) throw new Error('usage: node scripts/record-history.mjs <name>');
const target = path.resolve(import.meta.dirname, '..', 'test', 'histories');

const source = fs.mkdtempSync(path.join(os.tmpdir(), 'larder-history-'));
for (let i = 0; i < 40; i++) fs.writeFileSync(path.join(source, `file-${i}`), 'x'.repeat(i * 100));

async function until(condition) {
  while (!(await condition())) await new Promise((again) => setTimeout(again, 50));
}

/** Touches every event type that a user or a worker can cause. */
async function live(cluster) {
  const { api } = cluster;
  const call = async (method, route, body, expected = 200) => {
    const answer = await api.request(method, route, { body, timeoutMs: 60_000 });
    if (answer.status !== expected) throw new Error(`${method} ${route}: ${JSON.stringify(answer)}`);
    return answer.body;
  };
  const sync = { sync: true };
  const options = { endpoint: 'http://127.0.0.1:9', accessKeyId: 'recorded', secretAccessKey: 'recorded' };
  await call('POST', '/mount', { path: '/data', ufs: `file://${source}` });
  await call('POST', '/mount', { path: '/gone', ufs: 's3://history', options });
  await call('POST', '/load', { paths: ['/data'], options: { ...sync, verify: true, batchSize: 10, replicas: 2 } });
  await call('POST', '/load', { paths: ['/data/missing'], options: sync });
  await call('POST', '/quota', { path: '/data', quotaBytes: 1_000_000 });
  await call('POST', '/ttl', { path: '/data', ttlSeconds: 100_000 });
  await call('POST', '/priority', { path: '/data', priority: 'HIGH' });
  const slow = { paths: ['/data/file-39'], options: { bandwidth: 1 } };
  const { id } = await call('POST', '/load', slow);
  await until(async () => (await api.progress(id)).inFlightFiles > 0);
  await call('POST', '/load', { ...slow, options: { bandwidth: 2 } }, 409);
  await call('DELETE', '/load', { id });
  await call('POST', '/load', { ...slow, options: { bandwidth: 10_000_000 } }, 409);
  await api.waitForJob(id);
  await call('POST', '/file_index', { files: ['/data/file-1', '/data/other'] });
  await call('DELETE', '/file_index', { files: ['/data/other'] });
  await call('POST', '/rebalance', { target: 'ALL' });
  await call('POST', '/free', { paths: ['/data'], options: sync });
  for (const policy of ['quota', 'ttl', 'priority']) await call('DELETE', `/${policy}`, { path: '/data' });
  const rotated = { ...options, accessKeyId: 'rotated', secretAccessKey: 'rotated' };
  await call('PUT', '/mount', { path: '/gone', options: rotated });
  await call('DELETE', '/mount', { path: '/gone' });
  const [, worker] = cluster.workers;
  await worker.process.kill9();
  const status = async () => (await api.nodes()).find(({ identity }) => identity === worker.id)?.status;
  await until(async () => (await status()) === 'OFFLINE');
  // Offline and lost look alike through the API: the grace period is short, and a second is many times that.
  await new Promise((passed) => setTimeout(passed, 1000));
  await worker.process.start();
  await until(async () => (await status()) === 'ONLINE');
  await call('DELETE', `/nodes?id=${worker.id}`);
}

/** Moves the log into another NATS, as an operator would; answers with what is there now. */
async function backUpAndRestore(cluster, nats) {
  const file = path.join(source, 'backup.gz');
  const cli = path.resolve(import.meta.dirname, '..', 'dist', 'bin', 'larder.js');
  for (const args of [
    ['backup', '--nats', cluster.nats.url, '--out', file],
    ['restore', '--nats', nats.url, '--in', file],
  ]) {
    execFileSync(process.execPath, [cli, ...args], { stdio: 'inherit' });
  }
  return dump(nats.url);
}

async function dump(url) {
  const link = await connectNats({ url, name: 'record-history' });
  try {
    const codec = new EventCodec([allEvents]);
    const lines = [];
    for await (const { sequence, boundary, events } of new EventStore(link, new Names(), codec).readBoundary('>')) {
      lines.push(JSON.stringify({ sequence, boundary, events }));
    }
    return lines;
  } finally {
    await link.close();
  }
}

const env = {
  LARDER_WORKER_TIMEOUT_MS: '2000',
  LARDER_HEARTBEAT_MS: '200',
  LARDER_WORKER_GRACE_MS: '100',
  LARDER_CHECKPOINT_EVERY: '25',
};
const cluster = await startCluster({ env });
const nats = await startTestNats();
try {
  await live(cluster);
  const lines = await backUpAndRestore(cluster, nats);
  fs.mkdirSync(target, { recursive: true });
  fs.writeFileSync(path.join(target, `${name}.jsonl`), `${lines.join('\n')}\n`);
  const written = new Set(lines.flatMap((line) => JSON.parse(line).events.map(({ type }) => type)));
  console.log(
    `${lines.length} messages; never written: ${Object.keys(allEvents)
      .filter((type) => !written.has(type))
      .join(', ')}`,
  );
  console.log('now write the state it must fold to: UPDATE_HISTORIES=1 npx jest test/histories');
} finally {
  await cluster.dispose();
  await nats.stop();
  fs.rmSync(source, { recursive: true });
}
