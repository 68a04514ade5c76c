import { type HashRing } from '#hash-ring';
import {
  listOf,
  placeOfBatch,
  type BatchInFlight,
  type FileFailure,
  type JobRecord,
  type WorkBatch,
} from '../index.js';
import { passOf, planBatches, type SourceFile } from '../kinds/index.js';
import type { JobRunPorts } from './ports.js';
import { sendBatches } from './send-batches.js';

/** Sends unsettled batches again, from the lists that the work stream keeps. The store is not listed a second time. */
export class Dispatcher {
  constructor(
    private readonly jobId: string,
    private readonly epoch: number,
    private readonly ports: JobRunPorts,
  ) {}

  /** Each file goes to the worker that the ring names now. The old list is removed once the new ones are recorded. */
  async dispatch(
    record: JobRecord,
    batches: BatchInFlight[],
    reason: 'worker-lost' | 'resumed' | 'forgotten',
    ring: HashRing,
  ): Promise<void> {
    const plan = this.ports.kinds.of(record.kind).plan(record);
    const dispatched = await Promise.all(
      batches.map(async (batch) => {
        const list = await this.list(batch);
        if (!list) return undefined;
        const step = placeOfBatch(batch.id)?.step ?? 0;
        const attempt = batch.attempt + 1;
        const files = this.filesOf(list, batch.copy, reason !== 'resumed').map((file) =>
          // A worker's own part stays with that worker.
          plan.placement === 'broadcast' ? { ...file, workerId: batch.workerId } : file,
        );
        const drafts = planBatches(this.jobId, batch.pass, step, files, ring, plan).filter(
          ({ copy }) => copy === batch.copy,
        );
        const context = { record, epoch: this.epoch, attempt };
        return { id: batch.id, attempt, into: await sendBatches(this.ports, context, drafts) };
      }),
    );
    const known = dispatched.filter((entry) => entry !== undefined);
    const data = { epoch: this.epoch, batches: known };
    await this.ports.writer.execute(
      this.jobId,
      reason === 'forgotten'
        ? { type: 'DispatchForgotten', data }
        : { type: 'DispatchBatches', data: { ...data, reason } },
    );
    for (const [i, batch] of batches.entries()) if (!dispatched[i]) await this.park(record, batch);
  }

  /** Gives a batch up: every file of it counts as failed, with the reason. */
  async park(
    record: JobRecord,
    batch: BatchInFlight,
    why = `worker ${batch.workerId} was lost while it had the batch`,
  ): Promise<void> {
    const list = await this.list(batch);
    const reason = list
      ? `given up: ${why}, at attempt ${batch.attempt}`
      : 'the list of these files is no longer in the work stream';
    const failures: FileFailure[] = list
      ? list.files.map(([name]) => ({ path: list.root + name, reason, attempts: batch.attempt }))
      : [{ path: `batch ${batch.id}`, reason, attempts: batch.attempt }];
    const counts = passOf(this.ports.kinds.of(record.kind), batch.pass).abandonedCounts(batch.files, batch.bytes);
    await this.ports.writer.execute(this.jobId, {
      type: 'ParkBatch',
      epoch: this.epoch,
      batchId: batch.id,
      counts,
      failures,
    });
  }

  private async list(batch: BatchInFlight): Promise<WorkBatch | undefined> {
    return listOf(this.jobId, batch.id, await this.ports.work.read(batch.workSequence));
  }

  /**
   * The files of a list. Below a quota each counts with its full size: the size of the copy that it replaces at its new
   * worker is not known here.
   * @param isReserved false after a stop, which has released the reservation: workers then claim room file by file
   */
  private filesOf({ root, files }: WorkBatch, copy: number, isReserved: boolean): SourceFile[] {
    return files.map(([name, sizeBytes, version]) => {
      const path = root + name;
      const quotas = isReserved ? this.ports.quotas.ledger.quotasOf(path) : [];
      const added = quotas.map(({ ufsPath }) => [ufsPath, Math.max(0, sizeBytes)] as const);
      if (added.length === 0) return { path, sizeBytes, version };
      const quotaBytes = Array.from({ length: copy + 1 }, () => Object.fromEntries(added));
      return { path, sizeBytes, version, quotaBytes };
    });
  }
}
