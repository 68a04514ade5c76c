// What an idle cluster costs: CPU and resident memory of each process, over a while in which nothing is asked. Needs a
// build, and Linux.
//
//   node test/bench/idle.mjs [--servers 1|3] [--coordinators 1] [--workers 1] [--settle 15] [--seconds 60]
//     [--node-options='…']   of coordinators and workers
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { cpuSecondsOf, residentBytesOf } from './support/processes.mjs';
import { startCluster } from './support/cluster.mjs';

const { values } = parseArgs({
  options: {
    servers: { type: 'string', default: '1' },
    coordinators: { type: 'string', default: '1' },
    workers: { type: 'string', default: '1' },
    settle: { type: 'string', default: '15' },
    seconds: { type: 'string', default: '60' },
    'node-options': { type: 'string', default: '' },
  },
});
const [servers, coordinators, workers, settle, seconds] = [
  'servers',
  'coordinators',
  'workers',
  'settle',
  'seconds',
].map((name) => Number(values[name]));

const cluster = await startCluster({
  ...{ coordinators, workers, env: { NODE_OPTIONS: values['node-options'] } },
  ...(servers > 1 ? { natsServers: servers } : {}),
});
try {
  await delay(settle * 1000);
  const before = cluster.processes.map(({ pid }) => cpuSecondsOf(pid));
  const startedMs = performance.now();
  await delay(seconds * 1000);
  const tookSeconds = (performance.now() - startedMs) / 1000;
  for (const [i, { name, pid }] of cluster.processes.entries()) {
    const percent = ((cpuSecondsOf(pid) - before[i]) / tookSeconds) * 100;
    const megabytes = residentBytesOf(pid) / 1024 / 1024;
    console.log(`${name.padEnd(14)} ${percent.toFixed(2)} % of a core  ${megabytes.toFixed(0)} MB resident`);
  }
} finally {
  await cluster.dispose();
}
