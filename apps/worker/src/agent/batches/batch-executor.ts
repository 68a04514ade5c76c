import type { CacheStore } from '#cache-store';
import type { WorkBatch } from '#contexts/jobs';
import type { ConnectorPool } from '#contexts/namespace/ufs';
import type { BatchOutcome, Checkpoint, ClusterMembers, WorkerJobKind, WorkerPorts } from '#contexts/jobs/kinds';
import type { Logger } from 'pino';
import type { JobBandwidths } from './bandwidth.js';
import type { ExclusiveGate } from './exclusive-gate.js';
import type { JobRate } from '../log/job-states.js';
import type { RunningJournal } from './running-journal.js';
import type { TransferSlots } from './transfer-slots.js';

/** A batch that has ended badly this many times is not executed again. */
export const maxCrashes = 3;

export interface ExecutorPorts {
  workerId: string;
  cache: CacheStore;
  /** As of the log's end at the time of the call. @throws the signal's reason */
  members(signal: AbortSignal): Promise<ClusterMembers>;
  removeCopy: WorkerPorts['removeCopy'];
  unmounted: WorkerPorts['unmounted'];
  storeOf: WorkerPorts['storeOf'];
  /** Room below quotas for the copies that a batch brings in. */
  roomFor(batch: WorkBatch, moves: boolean, signal: AbortSignal): WorkerPorts['claimRoom'];
  /** Identifies the source of a transfer: for a UFS path the root of its mount, else the name itself. */
  sourceOf(from: string): string;
  checkpointOf(batchId: string): Checkpoint;
  pool: ConnectorPool;
  slots: TransferSlots;
  /**
   * The part of `slots` that jobs with a bandwidth limit may hold: a slow job must not take the slots of the others.
   */
  limitedSlots: TransferSlots;
  /** For large objects, beside their transfer slots. */
  largeObjects: TransferSlots;
  /** For parts of large objects. */
  parts: TransferSlots;
  bandwidths: JobBandwidths;
  gate: ExclusiveGate;
  journal: RunningJournal;
  retry: WorkerPorts['retry'];
  logger: Logger;
}

export interface Execution {
  batch: WorkBatch;
  kind: WorkerJobKind;
  /** Of this job on this worker. */
  rate: JobRate;
  signal: AbortSignal;
  onProgress: WorkerPorts['onProgress'];
  onStoreWait: WorkerPorts['retry']['onStoreWait'];
}

/** The batch failed because of a bug in Larder. It may be tried again. */
export class ExecutionFailed extends Error {
  override readonly name = 'ExecutionFailed';
}

/**
 * Executes batches with the worker's resources. It keeps the journal that detects batches that crash the process: a
 * batch that has crashed one runs alone, and after `maxCrashes` it is given up.
 */
export class BatchExecutor {
  constructor(private readonly ports: ExecutorPorts) {}

  /** @throws ExecutionFailed; the signal's reason when aborted */
  async execute(execution: Execution): Promise<BatchOutcome> {
    const { gate, journal } = this.ports;
    const { batch, signal } = execution;
    const crashes = journal.crashes(batch.batchId);
    if (crashes >= maxCrashes) return this.giveUp(execution, crashes);
    return gate.run(crashes > 0, signal, async () => {
      await journal.begin(batch.jobId, batch.batchId);
      try {
        const outcome = await this.run(execution);
        await journal.forget(batch.batchId);
        return outcome;
      } catch (error) {
        if (!signal.aborted) return await this.failed(execution, error);
        await journal.interrupt(batch.batchId);
        throw error;
      }
    });
  }

  private async run({ batch, kind, rate, signal, onProgress, onStoreWait }: Execution): Promise<BatchOutcome> {
    const { workerId, cache, pool, slots, limitedSlots, largeObjects, parts, bandwidths, retry } = this.ports;
    const userOf = (from = batch.root) => ({ store: this.ports.sourceOf(from), jobId: batch.jobId });
    // Check the signal and begin in the same turn: the code that aborts the signal of an ended job also drops the job's
    // keeps.
    signal.throwIfAborted();
    await cache.keepFor(batch.jobId);
    const lease = pool.lease();
    const leaveBandwidth = bandwidths.enter(batch.jobId, rate);
    try {
      return await kind.execute(batch, {
        workerId,
        cache,
        checkpoint: this.ports.checkpointOf(batch.batchId),
        members: () => this.ports.members(signal),
        removeCopy: (path, sequence) => this.ports.removeCopy(path, sequence),
        unmounted: this.ports.unmounted,
        storeOf: (path) => this.ports.storeOf(path),
        claimRoom: this.ports.roomFor(batch, kind.moves?.(batch) ?? false, signal),
        retry: { ...retry, onStoreWait },
        signal,
        onProgress,
        connectorFor: (ufsPath) => lease.connectorFor(ufsPath),
        withLargeObjectSlot: (slotSignal, run, from) => largeObjects.run(userOf(from), slotSignal, run),
        withPartSlot: (slotSignal, run, from) => parts.run(userOf(from), slotSignal, run),
        withTransferSlot: (slotSignal, run, from) => {
          const user = userOf(from);
          return bandwidths.isLimited(batch.jobId)
            ? limitedSlots.run(user, slotSignal, () => slots.run(user, slotSignal, run))
            : slots.run(user, slotSignal, run);
        },
        isThrottled: (jobId) => bandwidths.isLimited(jobId),
        throttle: (jobId, bytes, payer) => bandwidths.pay(jobId, bytes, payer),
      });
    } finally {
      leaveBandwidth();
      await lease.release();
    }
  }

  private async failed(execution: Execution, error: unknown): Promise<BatchOutcome> {
    const { jobId, batchId } = execution.batch;
    const crashes = await this.ports.journal.countFailure(jobId, batchId);
    this.ports.logger.error({ err: error, jobId, batchId, crashes }, 'executing the batch failed');
    if (crashes >= maxCrashes) return this.giveUp(execution, crashes);
    throw new ExecutionFailed('executing the batch failed', { cause: error });
  }

  private giveUp({ batch, kind }: Execution, crashes: number): BatchOutcome {
    const { jobId, batchId } = batch;
    this.ports.logger.error({ jobId, batchId, crashes }, 'the batch is given up');
    return kind.failAll(batch, `the batch was given up after ${crashes} crashes of the worker while it ran`);
  }
}
