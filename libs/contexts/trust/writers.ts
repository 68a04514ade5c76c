import { batchBoundary, batchSettledSchema } from '#contexts/jobs';
import { scopeOf, type Commit } from '#kernel';

/**
 * Who may write what. Coordinators (and the command line, where it holds their key) sign with a key of
 * LARDER_SIGNING_KEYS and write everything but batch facts. A worker signs with a key of its own, which its membership
 * names, and writes the outcome of its own batches and nothing else.
 */
export type Writer = { readonly role: 'coordinator' } | { readonly role: 'worker'; readonly workerId: string };

/** Whether a boundary is this writer's to write on. */
export function mayWrite(writer: Writer, boundary: string): boolean {
  if (writer.role === 'coordinator') return scopeOf(boundary) !== batchBoundary.scope;
  return batchBoundary.idsIn(boundary)?.workerId === writer.workerId;
}

/** Whether what a worker says on its boundary is about its own batches of that job. */
export function saysOnlyItsOwn(writer: Writer, { boundary, events }: Commit): boolean {
  if (writer.role !== 'worker') return true;
  const jobId = batchBoundary.idsIn(boundary)?.jobId;
  return events.every(({ type, data }) => {
    const settled = type === 'BatchSettled' ? batchSettledSchema.safeParse(data).data : undefined;
    return settled?.workerId === writer.workerId && settled.jobId === jobId;
  });
}
