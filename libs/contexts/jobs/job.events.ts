import { z } from 'zod';
import { defineBoundaries, defineBoundary, type EventCatalogue, type EventOf } from '#kernel';

/**
 * The events of a job's life, on three kinds of boundaries: the *slot* (who may run which job), the *job* (its life as
 * its owner and its users write it, guarded by the owner's epoch) and the *batch* facts that workers report.
 */

export const jobKindName = z.string().regex(/^[a-z][a-z-]*$/);

/** Sums by name, for example `{ loadedFiles: 200, loadedBytes: 2048000 }`. The job's kind defines their meaning. */
export const countsSchema = z.record(z.string(), z.number());
export type Counts = z.infer<typeof countsSchema>;

export const fileFailureSchema = z.object({
  /** Full UFS path. */
  path: z.string(),
  reason: z.string(),
  /** How often it was tried; 0 where an attempt could not succeed. */
  attempts: z.number(),
});
export type FileFailure = z.infer<typeof fileFailureSchema>;

/**
 * The entries that the source passed over because they hold no data of their own, by kind (`directoryLinks`, `fifos`,
 * `sockets`, `devices`, `other`): how many, and the UFS paths of the first few.
 */
export const specialFilesSchema = z.record(z.string(), z.object({ count: z.number(), examples: z.array(z.string()) }));
export type SpecialFiles = z.infer<typeof specialFilesSchema>;

/**
 * A job goes over its source once or several times. Its kind defines the passes and their names. The first one is the
 * main pass of every kind: it does the work, and the job's file counts are those of this pass.
 */
export const passSchema = z.string().regex(/^[a-z][a-z-]*$/);
export type Pass = z.infer<typeof passSchema>;
export const mainPass = 'main';

/** Converts data of version 1: until 0.2 the main pass of every kind was called `load`. */
export function withMainPass<Data extends { pass: Pass }>(data: Data): Data {
  return data.pass === 'load' ? { ...data, pass: mainPass } : data;
}

const jobSubmittedSchema = z.object({
  jobId: z.string(),
  kind: jobKindName,
  /** Canonical form of what the job works on; with `kind` it is the job's identity. */
  target: z.string(),
  alias: z.string(),
  /** Validated by the job's kind. */
  spec: z.record(z.string(), z.unknown()),
});

const jobAssumedSchema = z.object({ owner: z.string(), epoch: z.number() });

const plannedBatchSchema = z.object({
  id: z.string(),
  workerId: z.string(),
  /** 0 for the copy at the file's primary owner, 1… for further replicas. */
  copy: z.number(),
  files: z.number(),
  bytes: z.number(),
  /** Where the list of files stands in the work stream. */
  workSequence: z.number(),
  /** Bytes that this batch adds below each quota, by the quota's UFS path. */
  quotaBytes: z.record(z.string(), z.number()).optional(),
});
export type PlannedBatch = z.infer<typeof plannedBatchSchema>;

const batchesPlannedSchema = z.object({
  epoch: z.number(),
  pass: passSchema,
  /** Ordinal of this stretch within the pass, from 0; a batch's id starts with it. */
  step: z.number(),
  /** Where to go on, in the form that the job's source reads. */
  cursor: z.string(),
  /** The source has been read to its end. */
  done: z.boolean(),
  scannedFiles: z.number(),
  filteredFiles: z.number(),
  /** Files and directories met, whether they matched or not. The count tells "nothing there" from "nothing matched". */
  seenEntries: z.number(),
  /** Names that can never be loaded. */
  rejected: z.array(fileFailureSchema),
  batches: z.array(plannedBatchSchema),
  /** Why the source could not be read, or only in part. The job ends as FAILED. */
  sourceError: z.string().optional(),
  /** Why files, or the whole job, were refused: they would have exceeded a quota. */
  quotaError: z.string().optional(),
  /** Absent where nothing was passed over, and in events of version 0.2. */
  specialFiles: specialFilesSchema.optional(),
});

/**
 * Bytes below quotas that the next stretch of a job will fill. All jobs reserve on one boundary, so that two owners
 * cannot both take the last bytes. After `BatchesPlanned` of that step, the planned batches count in place of the
 * reservation.
 */
const quotaReservedSchema = z.object({
  jobId: z.string(),
  pass: passSchema,
  step: z.number(),
  /** By the quota's UFS path. */
  bytes: z.record(z.string(), z.number()),
});
export type QuotaReservedData = z.infer<typeof quotaReservedSchema>;

/**
 * Each batch is replaced by the batches that the current ring makes of its files. Where nothing changed, that is the
 * batch itself.
 */
const dispatchedBatchSchema = z.object({ id: z.string(), attempt: z.number(), into: z.array(plannedBatchSchema) });
export type DispatchedBatch = z.infer<typeof dispatchedBatchSchema>;
const batchesDispatchedSchema = z.object({
  epoch: z.number(),
  reason: z.enum(['worker-lost', 'resumed']),
  batches: z.array(dispatchedBatchSchema),
});
const forgottenBatchesDispatchedSchema = z.object({ epoch: z.number(), batches: z.array(dispatchedBatchSchema) });

const batchParkedSchema = z.object({
  epoch: z.number(),
  batchId: z.string(),
  counts: countsSchema,
  failures: z.array(fileFailureSchema),
});

const passStartedSchema = z.object({ epoch: z.number(), pass: passSchema });
const jobStoppedSchema = z.object({});
const jobResumedSchema = z.object({ bandwidth: z.number().optional() });
const jobRetunedSchema = z.object({ bandwidth: z.number() });

const jobFinishedSchema = z.object({
  epoch: z.number(),
  state: z.enum(['SUCCEEDED', 'FAILED']),
  /** Why it failed, or a remark on a success ("nothing matched"). May be empty. */
  message: z.string(),
  /** Everything needed to answer for this job after it has left the views: see `JobSummary`. */
  summary: z.record(z.string(), z.unknown()),
});

function finishedInMainPass(data: z.infer<typeof jobFinishedSchema>): z.infer<typeof jobFinishedSchema> {
  const { state } = data.summary as { state?: { pass: Pass } };
  return state ? { ...data, summary: { ...data.summary, state: withMainPass(state) } } : data;
}

export const batchSettledSchema = z.object({
  jobId: z.string(),
  batchId: z.string(),
  workerId: z.string(),
  epoch: z.number(),
  attempt: z.number(),
  counts: countsSchema,
  failures: z.array(fileFailureSchema),
});
export type BatchSettledData = z.infer<typeof batchSettledSchema>;

const slotEvents = {
  JobSubmitted: { v: 1, description: 'A job took its slot (kind and target).', schema: jobSubmittedSchema },
} as const satisfies EventCatalogue;

const lifeEvents = {
  JobAssumed: { v: 1, description: 'A coordinator became owner; lower epochs have ended.', schema: jobAssumedSchema },
  BatchesPlanned: {
    v: 2,
    description: 'The owner read the next part of the source and sent it to workers as batches.',
    schema: batchesPlannedSchema,
    upcast: { 1: withMainPass },
  },
  BatchesDispatched: {
    v: 1,
    description: 'Unsettled batches were sent again, to the same or another worker.',
    schema: batchesDispatchedSchema,
  },
  ForgottenBatchesDispatched: {
    v: 1,
    description: 'Batches were sent again that a worker had acknowledged, but not reported.',
    schema: forgottenBatchesDispatchedSchema,
  },
  BatchParked: {
    v: 1,
    description: 'A batch was given up because it kept killing its workers or its list was lost.',
    schema: batchParkedSchema,
  },
  PassStarted: {
    v: 2,
    description: 'All batches settled; the next pass began.',
    schema: passStartedSchema,
    upcast: { 1: withMainPass },
  },
  JobStopped: { v: 1, description: 'A user stopped the job.', schema: jobStoppedSchema },
  JobResumed: { v: 1, description: 'A user resumed the stopped job.', schema: jobResumedSchema },
  JobRetuned: { v: 1, description: 'A user changed the bandwidth of the running job.', schema: jobRetunedSchema },
  JobFinished: {
    v: 2,
    description: 'The job ended; nothing follows.',
    schema: jobFinishedSchema,
    upcast: { 1: finishedInMainPass },
  },
} as const satisfies EventCatalogue;

const quotaEvents = {
  QuotaReserved: {
    v: 2,
    description: 'A job reserved bytes below quotas for the next part of its source.',
    schema: quotaReservedSchema,
    upcast: { 1: withMainPass },
  },
} as const satisfies EventCatalogue;

const batchEvents = {
  BatchSettled: { v: 1, description: 'A worker reports the outcome of a whole batch.', schema: batchSettledSchema },
} as const satisfies EventCatalogue;

export const jobEvents = {
  ...slotEvents,
  ...lifeEvents,
  ...quotaEvents,
  ...batchEvents,
} as const satisfies EventCatalogue;

export type SlotEvent = EventOf<typeof slotEvents>;
export type JobEvent = EventOf<typeof lifeEvents>;
export type QuotaEvent = EventOf<typeof quotaEvents>;
export type BatchEvent = EventOf<typeof batchEvents>;

export const slotBoundary = defineBoundaries('slot', ['kind', 'targetHash'], slotEvents);
export const jobBoundary = defineBoundaries('job', ['jobId'], lifeEvents);
export const quotaBoundary = defineBoundary('quota', quotaEvents);
export const batchBoundary = defineBoundaries('batch', ['jobId', 'workerId'], batchEvents);
