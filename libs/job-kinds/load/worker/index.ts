import type { WorkBatch } from '#contexts/jobs';
import type { BatchOutcome, WorkerJobKind, WorkerPorts } from '#contexts/jobs/kinds';
import { DomainError } from '#kernel';
import { batchFiles, failed } from '#transfer';
import { loadPass, tallyLoad } from './load-pass.js';
import { loadBatchOptionsSchema } from './options.js';
import { tallyVerify, verifyPass } from './verify-pass.js';

/** Brings UFS objects into this worker's cache, or compares what it holds with the UFS. */
export const loadWorkerKind: WorkerJobKind = {
  name: 'load',
  execute(batch: WorkBatch, ports: WorkerPorts): Promise<BatchOutcome> {
    const options = loadBatchOptionsSchema.parse(batch.options);
    switch (batch.pass) {
      case 'load':
        return loadPass(batch, options, ports);
      case 'verify':
        return verifyPass(batch, options, ports);
      case 'prune':
        throw new DomainError('Bug', 'foreign-pass', 'a load job has no pass that prunes');
    }
  },
  failAll(batch: WorkBatch, reason: string): BatchOutcome {
    const outcomes = batchFiles(batch).map((file) => failed(file, reason, 0));
    return batch.pass === 'load' ? tallyLoad(outcomes) : tallyVerify(outcomes);
  },
};
