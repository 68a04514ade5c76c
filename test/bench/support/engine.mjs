// A worker's engine alone: its executor, its cache and its connectors, as a worker has them, on a list of files. There is no
// coordinator and no NATS.
//
//   node test/bench/support/engine.mjs '{"directory":…,"ufs":…,"options":{…},"part":0,"of":2,"batchSize":200}'
//
// Lists the source and takes every `of`th file, prints `ready`, begins when it is given a line, and prints its result as JSON:
// wall and CPU seconds, files and bytes.
import { setMaxListeners } from 'node:events';
import path from 'node:path';
import readline from 'node:readline/promises';
import { JobBandwidths } from '../../../dist/apps/worker/src/agent/batches/bandwidth.js';
import { BatchCheckpoints } from '../../../dist/apps/worker/src/agent/batches/batch-checkpoints.js';
import { createExecutor } from '../../../dist/apps/worker/src/agent/batches/create-runner.js';
import { RunningJournal } from '../../../dist/apps/worker/src/agent/batches/running-journal.js';
import { CacheStores } from '../../../dist/apps/worker/src/stores/cache-stores.js';
import { WorkerServices } from '../../../dist/apps/worker/src/worker-services.js';
import { openCacheStore } from '#cache-store';
import { loadConfig } from '#config';
import { workerJobKinds } from '#job-kinds/worker';
import { createLogger } from '#runtime';
import { clusterKeys } from '#testing';

const given = JSON.parse(process.argv[2]);
const { directory, ufs, options, part, of, batchSize } = given;
const config = loadConfig({ ...clusterKeys, LARDER_CACHE_DIR: directory, LARDER_CACHE_BYTES: '16GiB' });
const logger = createLogger('worker', 'warn');
const workerId = `engine-${part}`;
const signal = new AbortController().signal;
setMaxListeners(0, signal);

const copies = await openCacheStore({ directory, capacityBytes: config.cacheBytes });
const stores = await CacheStores.open(directory, logger);
const services = new WorkerServices(config, workerId, { copies, stores }, logger);
const stored = Object.fromEntries(Object.entries(options).map(([name, plain]) => [name, { plain }]));
const mounted = { type: 'Mounted', at: new Date().toISOString(), data: { path: '/bench/', ufs, options: stored } };
services.view.evolve({ sequence: 1, boundary: 'namespace', events: [mounted] });
await services.noteRead();
const executor = createExecutor({
  ...{ config, workerId, services, logger },
  cache: services.cache,
  journal: await RunningJournal.open(path.join(directory, 'running')),
  checkpoints: await BatchCheckpoints.open(path.join(directory, 'progress')),
  clusterReader: { caughtUp: () => Promise.resolve() },
  bandwidths: new JobBandwidths(),
});

const batches = await planned();
console.log('ready');
const lines = readline.createInterface({ input: process.stdin });
await lines[Symbol.asyncIterator]().next();
const cpu = process.cpuUsage();
const started = performance.now();
const total = { files: 0, bytes: 0 };
let next = 0;
// As many at once as a worker takes from its queue.
await Promise.all(
  Array.from({ length: config.workerBatches }, async () => {
    while (next < batches.length) await execute(batches[next++]);
  }),
);
const seconds = (performance.now() - started) / 1000;
const { user, system } = process.cpuUsage(cpu);
console.log(JSON.stringify({ seconds, cpu: (user + system) / 1e6, ...total }));
process.exit(0);

async function execute(batch) {
  const execution = { batch, kind: workerJobKinds.load, rate: { bytesPerSecond: 0, asOf: 1 }, signal };
  const { counts, failures } = await executor.execute({ ...execution, onProgress: () => {}, onStoreWait: () => {} });
  if (failures.length > 0) throw new Error(`${failures[0].path}: ${failures[0].reason}`);
  total.files += counts.loadedFiles;
  total.bytes += counts.loadedBytes;
}

/** The listing as a coordinator would send it: names below the root, with sizes and versions. */
async function planned() {
  const lease = services.pool.lease();
  const files = [];
  let place = 0;
  for (let after; ;) {
    const { objects, next: more } = await lease.connectorFor(ufs).list(ufs, { after });
    for (const { path: full, sizeBytes, version } of objects) {
      if (place++ % of === part) files.push([full.slice(ufs.length), sizeBytes, version]);
    }
    if (more === undefined) break;
    after = more;
  }
  await lease.release();
  const shape = {
    v: 2,
    jobId: 'bench',
    kind: 'load',
    pass: 'main',
    epoch: 1,
    attempt: 1,
    copy: 0,
    namespaceSequence: 1,
  };
  return Array.from({ length: Math.ceil(files.length / batchSize) }, (_, i) => ({
    ...shape,
    batchId: `b${i}`,
    options: {},
    root: ufs,
    files: files.slice(i * batchSize, (i + 1) * batchSize),
  }));
}
