// Many workers in one process, made of the real parts that a coordinator meets: queues, reports, heartbeats. They have no cache
// and follow no log. Each batch takes SCALE_BATCH_MS and is then reported as loaded. Started by `many-jobs.mjs`, which hears over
// IPC of each report that is in the log.
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { pino } from 'pino';
import { settle } from '../../../dist/apps/worker/src/agent/reports/settle.js';
import { workerCodec } from '../../../dist/apps/worker/src/agent/log/worker-codec.js';
import { loadConfig } from '../../../dist/libs/config/index.js';
import { allEvents } from '../../../dist/libs/contexts/catalogue/index.js';
import { decodeWorkBatch } from '../../../dist/libs/contexts/jobs/index.js';
import { OwnSigner, rawPublicKey } from '../../../dist/libs/contexts/trust/gate/index.js';
import {
  Broadcasts,
  BroadcastSeal,
  connectNats,
  EventStore,
  Names,
  WorkConsumer,
} from '../../../dist/libs/jetstream/index.js';
import { Recorder } from '../../../dist/libs/runtime/index.js';

const config = loadConfig(process.env, 'worker');
const batchMs = Number(process.env.SCALE_BATCH_MS);
const logger = pino({ level: 'error' });
const recorder = new Recorder(allEvents);
const seal = new BroadcastSeal(config.secretKeys);
const never = new AbortController().signal;
setMaxListeners(0, never);

async function startWorker(n) {
  const workerId = `worker-${randomUUID()}`;
  const { privateKey } = generateKeyPairSync('ed25519');
  const log = (level, message, fields) => logger[level](fields ?? {}, message);
  const link = await connectNats({ url: config.natsUrl, name: workerId, log });
  const names = new Names(config.cluster);
  const store = new EventStore(link, names, workerCodec(), { signer: new OwnSigner(workerId, privateKey) });
  const consumer = new WorkConsumer(link, names, workerId);
  const broadcasts = new Broadcasts(link, seal);
  const publicKey = rawPublicKey(privateKey).toString('base64');
  const fixed = { workerId, address: `127.0.0.1:${n + 1}`, bootId: randomUUID(), publicKey, version: '0' };
  const running = new Map();
  let reportedSequence = 0;
  let beat = 0;

  const describe = () => ({
    ...{
      ...fixed,
      capacityBytes: 1e9,
      usedBytes: 0,
      objects: 0,
      reportedSequence,
      namespaceSequence: 1e9,
      beat: ++beat,
    },
    ...{ quotaClaims: [], running: [...running.values()], held: consumer.heldPlaces },
  });
  const handle = async (message) => {
    const batch = decodeWorkBatch(message.bytes);
    const { jobId, batchId, files } = batch;
    running.set(batchId, { jobId, batchId, files: 0, bytes: 0 });
    // Not all in step.
    await delay(batchMs * (0.5 + Math.random()));
    const bytes = files.reduce((sum, [, sizeBytes]) => sum + sizeBytes, 0);
    const counts = { loadedFiles: files.length, loadedNonEmptyFiles: files.length, loadedBytes: bytes };
    const options = { workerId, store, recorder, maxPayloadBytes: () => link.maxPayloadBytes, logger };
    reportedSequence = await settle(options, batch, { counts, failures: [] }, never);
    process.send({ jobId, files: files.length, atMs: Date.now() });
    running.delete(batchId);
    await message.ack();
  };
  setInterval(() => broadcasts.publish(names.workerHeartbeat(workerId), describe()), config.heartbeatMs);
  broadcasts.publish(names.workerHeartbeat(workerId), describe());
  broadcasts.respond(names.workersControl('figures'), describe);
  consumer.run({ maxConcurrent: config.workerBatches, handle });
}

process.on('disconnect', () => process.exit());
for (let n = 0; n < Number(process.env.SCALE_WORKERS); n++) await startWorker(n);
