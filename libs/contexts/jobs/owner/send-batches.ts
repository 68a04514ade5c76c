import { namespaceView } from '#contexts/namespace';
import { encodeWorkBatch, requireOwner, type JobRecord, type PlannedBatch } from '../index.js';
import { storesOf, type DraftBatch } from '../kinds/index.js';
import type { JobRunPorts } from './ports.js';

export interface SendContext {
  record: JobRecord;
  epoch: number;
  attempt: number;
}

/**
 * Publishes the lists to the workers' queues. A publish is unique by batch and epoch. The same owner can send a stretch
 * twice, and it is stored once. A later owner's is stored again, because the first copy may be gone.
 *
 * @throws DomainError Refused when the job was stopped or taken over since the caller looked
 */
export function sendBatches(
  ports: JobRunPorts,
  context: SendContext,
  drafts: readonly DraftBatch[],
): Promise<PlannedBatch[]> {
  return ports.sending.run(() => sendInTurn(ports, context, drafts));
}

async function sendInTurn(
  ports: JobRunPorts,
  { record, epoch, attempt }: SendContext,
  drafts: readonly DraftBatch[],
): Promise<PlannedBatch[]> {
  // The record belongs to the views and may have changed since the call: check that it still has this epoch.
  requireOwner(record.state, epoch);
  const jobSequence = record.sequence;
  const { options } = ports.kinds.of(record.kind).plan(record);
  const stores = storesOf(record.spec);
  const namespaceSequence = ports.views.get(namespaceView).sequence;
  const send = async ({ id, workerId, copy, bytes, quotaBytes, root, files }: DraftBatch): Promise<PlannedBatch> => {
    const batch = encodeWorkBatch({
      v: 2,
      jobId: record.jobId,
      kind: record.kind,
      batchId: id,
      pass: record.state.pass,
      epoch,
      attempt,
      copy,
      jobSequence,
      namespaceSequence,
      ...(stores && { stores }),
      options,
      quotaBytes: quotaBytes ?? {},
      root,
      files,
    });
    const { sequence } = await ports.work.publish(workerId, record.jobId, `${id}.${epoch}`, attempt, batch);
    const planned = { id, workerId, copy, files: files.length, bytes, workSequence: sequence };
    return quotaBytes ? { ...planned, quotaBytes } : planned;
  };
  return Promise.all(drafts.map(send));
}
