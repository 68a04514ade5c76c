import { mainPass, type WorkBatch } from '#contexts/jobs';
import { executePass, type BatchOutcome, type WorkerJobKind, type WorkerPorts } from '#contexts/jobs/kinds';
import { cutReason } from '#transfer';
import { pruning } from '../spec.js';
import { loadPass } from './load-pass.js';
import { rebalanceBatchOptionsSchema } from './options.js';
import { PeerClient } from './peer-client.js';
import { prunePass } from './prune-pass.js';

/** Brings this worker's cache in line with the ring. The batch's one file is the worker's own id. */
export const rebalanceWorkerKind: WorkerJobKind = {
  name: 'rebalance',
  async execute(batch: WorkBatch, ports: WorkerPorts): Promise<BatchOutcome> {
    const { loadBatchSize } = rebalanceBatchOptionsSchema.parse(batch.options);
    const peers = new PeerClient(ports.signal);
    try {
      return await executePass(batch, {
        [mainPass]: () => loadPass(batch.jobId, loadBatchSize, peers, ports),
        [pruning]: () => prunePass(batch.jobId, peers, ports),
      });
    } finally {
      await peers.close();
    }
  },
  failAll(batch: WorkBatch, reason: string): BatchOutcome {
    const failures = batch.files.map(([path]) => ({ path, reason: cutReason(reason), attempts: 0 }));
    return { counts: { workersAbandoned: 1 }, failures };
  },
  moves(batch: WorkBatch): boolean {
    return !rebalanceBatchOptionsSchema.parse(batch.options).skipPrune;
  },
  bandwidthOf(batch: WorkBatch): number {
    const { loadBandwidth, pruneBandwidth } = rebalanceBatchOptionsSchema.parse(batch.options);
    return batch.pass === pruning ? pruneBandwidth : loadBandwidth;
  },
};
