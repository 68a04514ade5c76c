import { batchBoundary, batchSettledSchema } from '#contexts/jobs';
import { scopeOf, type Commit } from '#kernel';

/**
 * Who may write what. Coordinators sign with a key of LARDER_SIGNING_KEYS and write everything except batch facts. The
 * command line does the same when it has their key. A worker signs with its own key, which its membership names, and
 * writes only the outcomes of its own batches.
 */
export type Writer = { readonly role: 'coordinator' } | { readonly role: 'worker'; readonly workerId: string };

/** Whether this writer may write on a boundary. */
export function mayWrite(writer: Writer, boundary: string): boolean {
  if (writer.role === 'coordinator') return scopeOf(boundary) !== batchBoundary.scope;
  return batchBoundary.idsIn(boundary)?.workerId === writer.workerId;
}

/** Whether a worker's commit reports only its own batches of the job that the boundary names. */
export function saysOnlyItsOwn(writer: Writer, { boundary, events }: Commit): boolean {
  if (writer.role !== 'worker') return true;
  const jobId = batchBoundary.idsIn(boundary)?.jobId;
  return events.every(({ type, data }) => {
    const settled = type === 'BatchSettled' ? batchSettledSchema.safeParse(data).data : undefined;
    return settled?.workerId === writer.workerId && settled.jobId === jobId;
  });
}
