// Many jobs at once with many workers: one real coordinator, a real nats-server, and workers that are simulated
// (`support/many-workers.mjs`). Prints how long it takes from a worker's report until GET /load?id= shows it, and what the
// coordinator needs. Needs a build.
//
//   node test/bench/many-jobs.mjs [--jobs 1000] [--workers 200] [--files 20] [--batch-ms 30000] [--seconds 15]
//                                 [--after 20] [--profile directory]
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { clusterKeys, s3MountOptions } from '../../dist/libs/testing/index.js';
import { cpuSecondsOf, residentBytesOf } from './support/processes.mjs';
import { heapOf, projectOf, simulation, supportScript } from './support/simulated.mjs';
import { startCluster } from './support/cluster.mjs';

const { values } = parseArgs({
  options: {
    jobs: { type: 'string', default: '1000' },
    workers: { type: 'string', default: '200' },
    files: { type: 'string', default: '20' },
    'batch-ms': { type: 'string', default: '30000' },
    seconds: { type: 'string', default: '15' },
    after: { type: 'string', default: '20' },
    profile: { type: 'string' },
  },
});
const [jobs, workers, files, seconds] = ['jobs', 'workers', 'files', 'seconds'].map((name) => Number(values[name]));
/** How many reports a second are followed until they show. */
const samplesPerSecond = 25;
const work = fs.mkdtempSync(path.join(os.tmpdir(), 'larder-many-jobs-'));
const mib = (bytes) => (bytes / 2 ** 20).toFixed(0);

function startWorkers(cluster, heard) {
  const env = {
    ...{ PATH: process.env.PATH, LARDER_NATS_URL: cluster.natsUrlFor('worker'), ...clusterKeys },
    ...{ SCALE_WORKERS: String(workers), SCALE_BATCH_MS: values['batch-ms'] },
  };
  const child = spawn(process.execPath, [supportScript('many-workers.mjs')], {
    env,
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  child.on('message', heard);
  return child;
}

/** Runs `each` for the numbers from 0, so many at a time. */
async function inParallel(count, atOnce, each) {
  let next = 0;
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      while (next < count) await each(next++);
    }),
  );
}

async function run() {
  const project = projectOf(path.join(work, 'project'), { coordinator: simulation('coordinator.mjs') });
  const env = {
    SCALE_STATS: work,
    SCALE_LISTING: 'made-up',
    ...(values.profile && { SCALE_PROFILE: path.resolve(values.profile) }),
  };
  const cluster = await startCluster({ workers: 0, project, env });
  /** Files that are in the log as loaded, by job. */
  const reported = new Map();
  const reports = { count: 0, last: undefined };
  const child = startWorkers(cluster, ({ jobId, files, atMs }) => {
    reported.set(jobId, (reported.get(jobId) ?? 0) + files);
    reports.count++;
    reports.last = { jobId, files: reported.get(jobId), atMs };
  });
  try {
    await cluster.untilOnline(workers);
    await measure(cluster, child, reports);
    if (values.profile) await cluster.coordinators[0].process.stop();
  } finally {
    child.kill('SIGKILL');
    await cluster.dispose();
  }
}

async function measure(cluster, child, reports) {
  const { api } = cluster;
  await api.mount('/bench', 's3://many/', s3MountOptions('http://127.0.0.1:1'));
  const { pid } = cluster.coordinators[0].process;
  const submitted = performance.now();
  let busy = 0;
  await inParallel(jobs, 16, async (n) => {
    const body = { paths: [`/bench/${n}-${files}`] };
    for (;;) {
      const { status } = await api.postLoad(body);
      if (status !== 503) return;
      busy++;
    }
  });
  if (busy > 0) console.log(`${busy} submissions were answered with 503, and repeated`);
  console.log(`${jobs} jobs submitted in ${((performance.now() - submitted) / 1000).toFixed(1)} s`);
  await delay(Number(values.after) * 1000);
  const before = { at: performance.now(), cpu: cpuSecondsOf(pid), count: reports.count };
  const natsBefore = cpuSecondsOf(cluster.nats.process.pid);
  const lags = [];
  let mostRss = 0;
  const follow = async ({ jobId, files, atMs }) => {
    for (;;) {
      const { loadedFiles } = await api.progress(jobId);
      if (loadedFiles >= files) return void lags.push(Date.now() - atMs);
    }
  };
  const following = [];
  while (performance.now() - before.at < seconds * 1000) {
    reports.last = undefined;
    await delay(1000 / samplesPerSecond);
    if (reports.last) following.push(follow(reports.last));
    mostRss = Math.max(mostRss, residentBytesOf(pid));
  }
  await Promise.all(following);
  const elapsed = (performance.now() - before.at) / 1000;
  const running = (await api.request('GET', '/load?state=RUNNING&count=1000')).body;
  lags.sort((a, b) => a - b);
  const at = (share) => lags[Math.min(lags.length - 1, Math.floor(lags.length * share))];
  const cpu = (after, was) => `${(((after - was) / elapsed) * 100).toFixed(0)} %`;
  console.log(
    `${((reports.count - before.count) / elapsed).toFixed(0)} reports/s; lag of ${lags.length} reports: ` +
      `p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, most ${lags.at(-1)} ms; ` +
      `jobs still running: ${running.results.length}`,
  );
  console.log(
    `coordinator: RSS ${mib(mostRss)} MiB at most, heap ${mib(heapOf(work, pid))} MiB, ${cpu(cpuSecondsOf(pid), before.cpu)} of a core; ` +
      `nats-server ${cpu(cpuSecondsOf(cluster.nats.process.pid), natsBefore)}, workers' process RSS ${mib(residentBytesOf(child.pid))} MiB`,
  );
}

try {
  console.log(
    `${os.cpus().length} cores, Node ${process.versions.node}; load average ${os.loadavg()[0].toFixed(1)}; ` +
      `${jobs} jobs of ${files} files, ${workers} workers, ${values['batch-ms']} ms a batch`,
  );
  await run();
} finally {
  fs.rmSync(work, { recursive: true, force: true });
}
