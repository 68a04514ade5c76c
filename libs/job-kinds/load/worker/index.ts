import { mainPass, type WorkBatch } from '#contexts/jobs';
import { executePass, type BatchOutcome, type WorkerJobKind, type WorkerPorts } from '#contexts/jobs/kinds';
import { batchFiles, failed } from '#transfer';
import { verification } from '../spec.js';
import { loadPass, tallyLoad } from './load-pass.js';
import { loadBatchOptionsSchema } from './options.js';
import { tallyVerify, verifyPass } from './verify-pass.js';

/** Brings UFS objects into this worker's cache, or compares what it holds with the UFS. */
export const loadWorkerKind: WorkerJobKind = {
  name: 'load',
  execute(batch: WorkBatch, ports: WorkerPorts): Promise<BatchOutcome> {
    const options = loadBatchOptionsSchema.parse(batch.options);
    return executePass(batch, {
      [mainPass]: () => loadPass(batch, options, ports),
      [verification]: () => verifyPass(batch, options, ports),
    });
  },
  failAll(batch: WorkBatch, reason: string): BatchOutcome {
    const outcomes = batchFiles(batch).map((file) => failed(file, reason, 0));
    return batch.pass === mainPass ? tallyLoad(outcomes) : tallyVerify(outcomes);
  },
};
