import { z } from 'zod';
import { logMarkSchema } from '#contexts/log';

/** The verb of a request to a worker before a decision about a quota. The answer is a heartbeat made at that moment. */
export const figuresVerb = 'figures';

/**
 * Room below quotas that a worker has reserved for a copy on its way into its cache. The claim exists from before the
 * decision about the copy until the worker's totals include its bytes, or until it is certain that they never will.
 */
export const quotaClaimSchema = z.object({
  id: z.string(),
  /** What the copy will add: its size minus the present size of the copy that it replaces. */
  bytes: z.number(),
  /** UFS paths of the quotas that apply to the copy. */
  ufsPaths: z.array(z.string()),
  /** The part that the coordinator has already reserved for the batch, by the quota's UFS path. */
  batch: z.object({ jobId: z.string(), batchId: z.string(), reserved: z.record(z.string(), z.number()) }).optional(),
});
export type QuotaClaim = z.infer<typeof quotaClaimSchema>;

/** What a job waits for, as reported by the process that does its work. Shown in the job's progress, not stored. */
export const storeWaitSchema = z.object({
  /** Root of the mount. */
  ufs: z.string(),
  /** Milliseconds since the epoch, by the clock of the process that waits. */
  sinceMs: z.number(),
  /** One sentence: the last error of the store. */
  reason: z.string(),
});
export type StoreWait = z.infer<typeof storeWaitSchema>;

/**
 * What a worker publishes about once a second on core NATS. It is not stored, and a lost one does no harm. `running`
 * shows the progress of each running batch, so that one very large file shows progress before its batch settles.
 */
export const workerHeartbeatSchema = z.object({
  workerId: z.string(),
  address: z.string(),
  bootId: z.string(),
  capacityBytes: z.number(),
  usedBytes: z.number(),
  objects: z.number(),
  /** The part of these that no mount covers; absent with workers of older versions. */
  unmountedBytes: z.number().optional(),
  unmountedObjects: z.number().optional(),
  version: z.string(),
  /** The public key for its signed reports: Ed25519, 32 bytes in base64. */
  publicKey: z.string().optional(),
  running: z.array(
    z.object({
      jobId: z.string(),
      batchId: z.string(),
      bytes: z.number(),
      files: z.number(),
      /** Set while files of the batch wait for their store; absent in versions up to 0.2. */
      waiting: storeWaitSchema.optional(),
    }),
  ),
  /** Sequences in the work stream of the batches that it runs or holds ready; absent in versions up to 0.2. */
  held: z.array(z.number()).optional(),
  /** Bytes this worker holds below each quota it knows of, by the quota's UFS path. */
  quotaUsage: z.record(z.string(), z.number()).optional(),
  /** Claims for copies on their way into the cache; absent in versions up to 0.2. */
  quotaClaims: z.array(quotaClaimSchema).optional(),
  /** Grows with every heartbeat and answer of a process, so that an older one does not replace a newer one. */
  beat: z.number().optional(),
  /** Log sequence of the last report of this worker that these numbers include; 0 before the first. */
  reportedSequence: z.number().optional(),
  /** Log sequence of the last change of mounts or policies that it applies; absent with workers of older versions. */
  namespaceSequence: z.number().optional(),
  /** How far this worker has seen the log; absent before it has seen anything. */
  logMark: logMarkSchema.optional(),
  /** Set while it takes no batches, because the log is not the one that it has seen: the reason. */
  refusesLog: z.string().optional(),
  /** True in the last heartbeat of a worker that stops in an orderly way. */
  leaving: z.boolean().optional(),
});
export type WorkerHeartbeat = z.infer<typeof workerHeartbeatSchema>;

export const coordinatorHeartbeatSchema = z.object({
  coordinatorId: z.string(),
  leaving: z.boolean().optional(),
  /** The jobs that it owns and whose listing waits for its store; absent in versions up to 0.2. */
  waiting: z.array(storeWaitSchema.extend({ jobId: z.string() })).optional(),
});
export type CoordinatorHeartbeat = z.infer<typeof coordinatorHeartbeatSchema>;
