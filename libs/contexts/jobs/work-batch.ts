import { z } from 'zod';
import { jobKindName, passSchema, withMainPass } from './job.events.js';

/** By hand: a schema for each of a thousand files costs more than all else that is done with the list. */
function isFileList(value: unknown): boolean {
  return Array.isArray(value) && value.every(isFile);
}

function isFile(value: unknown): boolean {
  if (!Array.isArray(value) || value.length !== 3) return false;
  const [name, sizeBytes, version] = value as unknown[];
  return typeof name === 'string' && Number.isFinite(sizeBytes) && typeof version === 'string';
}

/**
 * The message that a worker takes from its queue: what to do with which files. Its content, which `batchId` identifies,
 * never changes once planned. When it is sent again after a stop or to another worker, only `epoch`, `attempt` and the
 * sequences differ.
 */
export const workBatchSchema = z.object({
  v: z.literal(2),
  jobId: z.string(),
  kind: jobKindName,
  batchId: z.string(),
  pass: passSchema,
  epoch: z.number(),
  attempt: z.number(),
  /** 0 for the primary copy, 1… for further replicas. */
  copy: z.number(),
  /**
   * The last sequence of the job's own boundary that the owner had read when it sent this, with the job running. A stop
   * or an end behind that sequence makes the batch void; an earlier one does not. Absent in batches of versions up to
   * 0.2.
   */
  jobSequence: z.number().optional(),
  /** The mount table must be known at least up to this log sequence before the batch is worked on. */
  namespaceSequence: z.number(),
  /**
   * The store of each mount that the job is about, by its UFS root: files are not taken from another store. Absent for
   * kinds that do not depend on the store, and in batches of versions up to 0.2.
   */
  stores: z.record(z.string(), z.string()).optional(),
  /** Read by the job's kind. */
  options: z.record(z.string(), z.unknown()),
  /**
   * Bytes reserved for what the batch adds below each quota, by the quota's UFS path. Beyond them the worker asks.
   * Absent in batches of versions up to 0.2: for these the worker asks nothing.
   */
  quotaBytes: z.record(z.string(), z.number()).optional(),
  /** A UFS path prefix that all names share; a file's full UFS path is `root + name`. */
  root: z.string(),
  /** `[name, sizeBytes, version]`; size -1 and version '' where the source does not tell (index files). */
  files: z.custom<[name: string, sizeBytes: number, version: string][]>(isFileList, 'must be a list of files'),
});
export type WorkBatch = z.infer<typeof workBatchSchema>;

/** No batch is longer, even with a larger `batchSize`: its list and its failures must each fit into one message. */
export const maxBatchFiles = 1000;
export const maxBatchNameBytes = 256 * 1024;
/** Reasons are cut to this many characters, so that they fit into one message. */
export const maxReasonLength = 300;

export function encodeWorkBatch(batch: WorkBatch): Uint8Array {
  return Buffer.from(JSON.stringify(batch));
}

export function decodeWorkBatch(bytes: Uint8Array): WorkBatch {
  const batch = JSON.parse(Buffer.from(bytes).toString('utf8')) as { v?: unknown; pass: string } | null;
  // The queue may still hold batches of versions up to 0.2.
  return workBatchSchema.parse(batch?.v === 1 ? { ...withMainPass(batch), v: 2 } : batch);
}

/** The beginning of what `encodeWorkBatch` writes. */
const beginning = /^\{"v":\d+,"jobId":"([^"\\]*)","kind":"[^"\\]*","batchId":"([^"\\]*)"/;
const beginningBytes = 512;

/**
 * Whether these bytes are the list of this batch. A stream that lost its end uses places a second time. Does not read the
 * files in it, which is most of the work for a list that only is to be removed.
 */
export function isListOf(jobId: string, batchId: string, bytes: Uint8Array | undefined): boolean {
  if (bytes === undefined) return false;
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, beginningBytes)).toString('latin1');
  const found = beginning.exec(text);
  return found ? found[1] === jobId && found[2] === batchId : listOf(jobId, batchId, bytes) !== undefined;
}

/** The list of this batch if these bytes hold it, else undefined. */
export function listOf(jobId: string, batchId: string, bytes: Uint8Array | undefined): WorkBatch | undefined {
  if (bytes === undefined) return undefined;
  try {
    const list = decodeWorkBatch(bytes);
    return list.jobId === jobId && list.batchId === batchId ? list : undefined;
  } catch {
    return undefined; // The bytes are no list.
  }
}
