// A load by a cluster of its own, whose processes' CPU is counted each.
import { startCluster } from '../../../dist/libs/testing/index.js';
import { cpuOfTree } from './processes.mjs';

const kindOf = (name) =>
  name.startsWith('coordinator') ? 'coordinator' : name.startsWith('worker') ? 'workers' : 'NATS';

/**
 * Starts a cluster, whose start is not timed, mounts `ufs` and loads it.
 * @param expected `{ files, bytes }`
 * @param settings of `startCluster`, such as `{ workers: 2, env: { LARDER_WORKER_TRANSFERS: '32' } }`
 * @returns wall seconds, CPU seconds of all processes, and `cpuBy`: those of the coordinators, the workers and NATS
 * @throws when the load does not end with exactly what is expected
 */
export async function timedLoad(ufs, mountOptions, expected, { env = {}, ...settings } = {}) {
  const cluster = await startCluster({ ...settings, env: { LARDER_CACHE_BYTES: '16GiB', ...env } });
  try {
    await cluster.api.mount('/bench', ufs, mountOptions);
    const processes = [...cluster.processes, { name: 'NATS', pid: cluster.nats.process.pid }];
    const before = processes.map(({ pid }) => cpuOfTree(pid));
    const started = performance.now();
    const body = { paths: ['/bench'], options: { sync: true } };
    const answer = await cluster.api.request('POST', '/load', { body, timeoutMs: 900_000 });
    const seconds = (performance.now() - started) / 1000;
    const cpuBy = { coordinator: 0, workers: 0, NATS: 0 };
    processes.forEach(({ name, pid }, i) => (cpuBy[kindOf(name)] += cpuOfTree(pid) - before[i]));
    const { state, loadedFiles, loadedBytes } = answer.body;
    if (state !== 'SUCCEEDED' || loadedFiles !== expected.files || loadedBytes !== expected.bytes) {
      throw new Error(`the load did not end as it should: ${JSON.stringify(answer.body)}`);
    }
    return { seconds, cpu: cpuBy.coordinator + cpuBy.workers + cpuBy.NATS, cpuBy };
  } finally {
    await cluster.dispose();
  }
}
