import type { RetryPolicy, UfsConnector } from '#ufs';
import type { Counts, FileFailure, JobRecord, Pass, SpecialFiles, WireState } from '../index.js';
import type { JobProgress } from './job.answers.js';

/** A file as a job's source names it. Size -1 and version '' where the source does not tell. */
export interface SourceFile {
  path: string;
  sizeBytes: number;
  version: string;
  /** The file is for this worker alone, even if the ring names another one. */
  workerId?: string;
  /** For each copy: the bytes that it will add below each quota that applies, by the quota's UFS path. */
  quotaBytes?: Record<string, number>[];
}

/** A stretch of a job's source. scannedFiles = files + filteredFiles + rejected. */
export interface SourcePage {
  files: SourceFile[];
  filteredFiles: number;
  rejected: FileFailure[];
  /** Entries of any sort that were met. The count tells "nothing there" from "nothing matched". */
  seenEntries: number;
  /** Entries that were passed over because they hold no data of their own. */
  specialFiles?: SpecialFiles;
  /** Where a reader in another process goes on after this page. */
  cursor: string;
  done: boolean;
  /** An error of the source that ends the job as FAILED, although reading may go on. */
  error?: string;
}

/** The services that a coordinator provides to a source. */
export interface SourcePorts {
  connectorFor(ufsPath: string): UfsConnector;
  /** The UFS path for a line of an index file. @throws DomainError Malformed */
  resolve(path: string): string;
  retry: RetryPolicy;
  signal: AbortSignal;
}

export interface BatchPlan {
  /** Files per batch; see `maxBatchFiles` for the upper bound. */
  batchSize: number;
  /** `owners`: each file goes to its owners on the ring. `broadcast`: to every worker, or to the one it names. */
  placement: 'owners' | 'broadcast';
  /** Distinct owners that get each file. */
  replicas: number;
  /** Sent along with every batch of the job. */
  options: Record<string, unknown>;
}

/** What a running job waits for, since when (ISO 8601), and why, in one sentence. */
export interface JobWait {
  for: 'store' | 'worker';
  since: string;
  reason: string;
}

/** What a progress object shows beside the record. */
export interface LiveProgress {
  /** Files done of the batches in hand, from heartbeats. */
  files: number;
  bytes: number;
  /** Absent while the job makes progress, and after its end. */
  wait?: JobWait;
  /**
   * The tightest quota above everything the job loads; absent while quotas are off. For the past, `remaining` is
   * absent.
   */
  quota?: { totalBytes: number; remaining?: number };
}

/** One walk of a job over its source. */
export interface JobPass {
  /** `mainPass` for the first one. The passes of a kind begin with different letters. */
  readonly name: Pass;
  /** Whether a job of this specification goes through it; without this, all do. */
  applies?(spec: Record<string, unknown>): boolean;
  /** The `state` that is shown of a job in this pass; default RUNNING. */
  readonly wireState?: WireState;
  /** Counts for a batch that is given up unexecuted. */
  abandonedCounts(files: number, bytes: number): Counts;
}

/** The coordinator's half of a job kind. */
export interface CoordinatorJobKind {
  readonly name: string;
  /** Reads the source from `cursor` ('' = from the start), page by page, without holding more than a page. */
  source(spec: Record<string, unknown>, pass: Pass, cursor: string, ports: SourcePorts): AsyncGenerator<SourcePage>;
  plan(record: JobRecord): BatchPlan;
  /** In the order in which a job goes through them. */
  readonly passes: readonly JobPass[];
  /**
   * Set when jobs of this kind hold some copies at two places until their last pass. The eviction for an exceeded quota
   * waits for their end.
   */
  readonly holdsTwice?: true;
  /** Only for kinds that bring data in: the UFS paths whose quotas can be checked before the work begins. */
  quotaRoots?(spec: Record<string, unknown>): readonly string[];
  /** How the job ends, once everything has settled. */
  conclude(record: JobRecord): { state: 'SUCCEEDED' | 'FAILED'; message: string };
  /** The documented progress object. `nowMs` is the wall clock, or what it showed then. */
  progress(record: JobRecord, nowMs: number, live: LiveProgress): JobProgress;
}
