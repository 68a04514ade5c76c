// A worker as it is built, but for one thing: a batch of a load is settled without a byte. What comes before and after is real:
// the queue, the journal, the report in the log, the heartbeats.
import './stats-file.mjs';
import { setTimeout as delay } from 'node:timers/promises';
import { workerJobKinds } from '../../../../dist/libs/job-kinds/worker/index.js';

const pauseMs = Number(process.env.SCALE_BATCH_MS ?? 0);
const { load } = workerJobKinds;

workerJobKinds.load = {
  ...load,
  async execute({ files }, { signal, onProgress }) {
    if (pauseMs > 0) await delay(pauseMs, undefined, { signal });
    let bytes = 0;
    for (const [, sizeBytes] of files) bytes += sizeBytes;
    onProgress(files.length, bytes);
    const none = { skippedFiles: 0, skippedBytes: 0, failedFiles: 0, failedBytes: 0 };
    const counts = { loadedFiles: files.length, loadedNonEmptyFiles: files.length, loadedBytes: bytes, ...none };
    return { counts, failures: [] };
  },
};
await import('../../../../dist/apps/worker/src/main.js');
