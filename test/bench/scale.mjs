// A load of a very large store: the real coordinator, nats-server, queues, reports and log. Only the listing is made up and no
// byte is moved. Prints a table over the time of the run: what is done, memory, CPU, and what the log grows by. Needs a build.
//
//   node test/bench/scale.mjs [--files 100000000] [--workers 2] [--listing made-up|s3] [--every 10] [--profile directory]
//                             [--batch-size 200] [--heap 96]
//
// `made-up`: the coordinator's connector makes the listing up (`test/cluster/support/simulation/coordinator.mjs`), so that what is measured is the
// coordinator alone. `s3`: it lists an endpoint over HTTP that does (`support/listing-s3.mjs`).
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { connect } from 'nats';
import { s3MountOptions } from '../../dist/libs/testing/index.js';
import { cpuSecondsOf, residentBytesOf } from './support/processes.mjs';
import { heapOf, projectOf, simulation, supportScript } from './support/simulated.mjs';
import { startCluster } from './support/cluster.mjs';

const { values } = parseArgs({
  options: {
    files: { type: 'string', default: '100000000' },
    workers: { type: 'string', default: '2' },
    listing: { type: 'string', default: 'made-up' },
    every: { type: 'string', default: '10' },
    profile: { type: 'string' },
    'batch-size': { type: 'string' },
    heap: { type: 'string' },
  },
});
const files = Number(values.files);
const everyMs = Number(values.every) * 1000;
const mib = (bytes) => (bytes / 2 ** 20).toFixed(0);
const work = fs.mkdtempSync(path.join(os.tmpdir(), 'larder-scale-'));
const project = projectOf(path.join(work, 'project'), {
  coordinator: simulation('coordinator.mjs'),
  worker: simulation('worker.mjs'),
});

async function startEndpoint() {
  const child = spawn(process.execPath, [supportScript('listing-s3.mjs'), JSON.stringify({ files })], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const line = await new Promise((resolve) => child.stdout.once('data', (data) => resolve(String(data))));
  return { url: `http://127.0.0.1:${/\d+/.exec(line)[0]}`, pid: child.pid, stop: () => child.kill('SIGKILL') };
}

/** Bytes of the log, with what the server stores around each message. */
async function logOf(jsm) {
  const { state } = await jsm.streams.info('larder-evt');
  return { bytes: state.bytes, messages: state.messages };
}

async function run() {
  const endpoint = values.listing === 's3' ? await startEndpoint() : undefined;
  const cluster = await startCluster({
    workers: Number(values.workers),
    project,
    env: {
      SCALE_STATS: work,
      SCALE_LISTING: values.listing,
      ...(values.heap && { NODE_OPTIONS: `--max-old-space-size=${values.heap}` }),
      ...(values.profile && { SCALE_PROFILE: path.resolve(values.profile) }),
    },
  });
  const nats = await connect({ servers: cluster.natsUrl });
  try {
    await measure(cluster, await nats.jetstreamManager(), endpoint);
    if (values.profile) await Promise.all(cluster.processes.map((process) => process.stop()));
  } finally {
    await nats.close();
    await cluster.dispose();
    endpoint?.stop();
  }
}

async function measure(cluster, jsm, endpoint) {
  const { api } = cluster;
  await api.mount('/bench', `s3://files-${files}/`, s3MountOptions(endpoint?.url ?? 'http://127.0.0.1:1'));
  const watched = [
    ...cluster.processes.map(({ name, pid }) => ({ name, pid })),
    { name: 'nats', pid: cluster.nats.process.pid },
    ...(endpoint ? [{ name: 's3', pid: endpoint.pid }] : []),
  ];
  const cpus = () => watched.map(({ pid }) => cpuSecondsOf(pid));
  const before = { at: performance.now(), cpu: cpus(), log: await logOf(jsm) };
  const options = values['batch-size'] ? { batchSize: Number(values['batch-size']) } : {};
  const id = await api.load({ paths: ['/bench'], options });
  console.log(`${'files'.padStart(11)} ${'files/s'.padStart(8)}  log B/file  RSS/heap MiB (CPU µs a file)`);
  const samples = [];
  let last = { ...before, done: 0 };
  for (let isOver = false; !isOver;) {
    await delay(everyMs);
    const { state, loadedFiles, errorMessage } = await api.progress(id);
    isOver = state !== 'RUNNING';
    const now = { at: performance.now(), cpu: cpus(), log: await logOf(jsm), done: loadedFiles };
    const files = Math.max(1, now.done - last.done);
    const memory = watched.map(({ pid }) => [residentBytesOf(pid), heapOf(work, pid)]);
    const columns = watched.map(
      ({ name }, i) =>
        `${name} ${mib(memory[i][0])}/${mib(memory[i][1])} (${(((now.cpu[i] - last.cpu[i]) / files) * 1e6).toFixed(1)})`,
    );
    const rate = (files / (now.at - last.at)) * 1000;
    const logBytes = (now.log.bytes - last.log.bytes) / files;
    console.log(
      `${String(now.done).padStart(11)} ${rate.toFixed(0).padStart(8)}  ${logBytes.toFixed(2).padStart(10)}  ${columns.join('  ')}`,
    );
    samples.push({ done: now.done, memory });
    last = now;
    if (isOver && (state !== 'SUCCEEDED' || loadedFiles !== expected())) {
      throw new Error(`the load did not end as it should: ${state} ${loadedFiles} ${JSON.stringify(errorMessage)}`);
    }
  }
  summary(watched, before, last, samples);
}

const expected = () => files;

/** The most memory of each process in the first part of the run and in the last. */
function summary(watched, before, last, samples) {
  const seconds = (last.at - before.at) / 1000;
  const { bytes, messages } = last.log;
  console.log(
    `${last.done} files in ${seconds.toFixed(1)} s: ${(last.done / seconds).toFixed(0)} files/s; ` +
      `log ${((bytes - before.log.bytes) / last.done).toFixed(2)} bytes a file, ${messages - before.log.messages} messages`,
  );
  const early = samples.filter(({ done }) => done <= last.done * 0.25);
  const late = samples.filter(({ done }) => done > last.done * 0.75);
  const most = (some, i, what) => Math.max(...some.map(({ memory }) => memory[i][what]));
  for (const [i, { name }] of watched.entries()) {
    const cpu = ((last.cpu[i] - before.cpu[i]) / last.done) * 1e6;
    const growth = early.length > 0 ? `RSS ${mib(most(early, i, 0))} MiB in the first quarter, ` : '';
    console.log(`  ${name}: ${cpu.toFixed(1)} µs of CPU a file; ${growth}${mib(most(late, i, 0))} MiB in the last`);
  }
}

try {
  console.log(
    `${os.cpus().length} cores, Node ${process.versions.node}; load average ${os.loadavg()[0].toFixed(1)}; ` +
      `${files} files, ${values.workers} workers, listing ${values.listing}`,
  );
  await run();
} finally {
  fs.rmSync(work, { recursive: true, force: true });
}
