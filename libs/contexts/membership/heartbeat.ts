import { z } from 'zod';
import { logMarkSchema } from '#contexts/log';

/** What a worker is asked for by who decides about a quota: its heartbeat, as it is when the question arrives. */
export const figuresVerb = 'figures';

/**
 * Room below quotas that a worker has set aside for a copy on its way into its cache. It stands from before the copy is
 * decided about until its bytes are in the worker's totals, or never will be.
 */
export const quotaClaimSchema = z.object({
  id: z.string(),
  /** What the copy will add: its size less that of the copy that it replaces, as that is now. */
  bytes: z.number(),
  /** UFS paths of the quotas above it. */
  ufsPaths: z.array(z.string()),
  /** What of it the coordinator has set aside for the batch already, by the quota's UFS path. */
  batch: z.object({ jobId: z.string(), batchId: z.string(), reserved: z.record(z.string(), z.number()) }).optional(),
});
export type QuotaClaim = z.infer<typeof quotaClaimSchema>;

/** What a job waits for, as who does its work says; shown in its progress, not stored. */
export const storeWaitSchema = z.object({
  /** Root of the mount. */
  ufs: z.string(),
  /** Milliseconds since the epoch, by the clock of who waits. */
  sinceMs: z.number(),
  /** One sentence: what the store said last. */
  reason: z.string(),
});
export type StoreWait = z.infer<typeof storeWaitSchema>;

/**
 * What a worker publishes about once a second on core NATS: not stored, lost without harm. `running` tells how far
 * the batches in hand are, so that one very large file shows progress before its batch settles.
 */
export const workerHeartbeatSchema = z.object({
  workerId: z.string(),
  address: z.string(),
  bootId: z.string(),
  capacityBytes: z.number(),
  usedBytes: z.number(),
  objects: z.number(),
  /** Of these, what no mount covers; absent with workers of older versions. */
  unmountedBytes: z.number().optional(),
  unmountedObjects: z.number().optional(),
  version: z.string(),
  /** What its reports are signed with: Ed25519, 32 bytes in base64. */
  publicKey: z.string().optional(),
  running: z.array(
    z.object({
      jobId: z.string(),
      batchId: z.string(),
      bytes: z.number(),
      files: z.number(),
      /** Files of it wait for their store; absent in versions up to 0.2. */
      waiting: storeWaitSchema.optional(),
    }),
  ),
  /** Places in the work stream of the batches that it runs or holds ready; absent in versions up to 0.2. */
  held: z.array(z.number()).optional(),
  /** Bytes this worker holds below each quota it knows of, by the quota's UFS path. */
  quotaUsage: z.record(z.string(), z.number()).optional(),
  /** What is on its way below quotas; absent in versions up to 0.2. */
  quotaClaims: z.array(quotaClaimSchema).optional(),
  /** Grows with every heartbeat and answer of a process, so that an older one does not follow a newer one. */
  beat: z.number().optional(),
  /** Log sequence of the last report of this worker that its numbers include; 0 before the first. */
  reportedSequence: z.number().optional(),
  /** Log sequence of the last change of mounts or policies by which it serves; absent with workers of older versions. */
  namespaceSequence: z.number().optional(),
  /** How far this worker has seen the log; absent before it has seen any. */
  logMark: logMarkSchema.optional(),
  /** Why it takes no batches: the log is not the one it has seen. */
  refusesLog: z.string().optional(),
  /** The last heartbeat of a worker that stops in good order. */
  leaving: z.boolean().optional(),
});
export type WorkerHeartbeat = z.infer<typeof workerHeartbeatSchema>;

export const coordinatorHeartbeatSchema = z.object({
  coordinatorId: z.string(),
  leaving: z.boolean().optional(),
  /** Of the jobs that it owns, those whose listing waits for its store; absent in versions up to 0.2. */
  waiting: z.array(storeWaitSchema.extend({ jobId: z.string() })).optional(),
});
export type CoordinatorHeartbeat = z.infer<typeof coordinatorHeartbeatSchema>;
