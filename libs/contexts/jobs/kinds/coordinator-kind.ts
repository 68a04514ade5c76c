import type { RetryPolicy, UfsConnector } from '#ufs';
import type { Counts, FileFailure, JobRecord, Pass, SpecialFiles, WireState } from '../index.js';
import type { JobProgress } from './job.answers.js';

/** A file as a job's source names it. Size -1 and version '' where the source does not tell. */
export interface SourceFile {
  path: string;
  sizeBytes: number;
  version: string;
  /** For this worker alone, whatever the ring says. */
  workerId?: string;
  /** Bytes it will add below each quota that applies to it, by the quota's UFS path, for each copy. */
  quotaBytes?: Record<string, number>[];
}

/** A stretch of a job's source. scannedFiles = files + filteredFiles + rejected. */
export interface SourcePage {
  files: SourceFile[];
  filteredFiles: number;
  rejected: FileFailure[];
  /** Entries met of any sort, so that "nothing there" and "nothing matched" can be told apart. */
  seenEntries: number;
  /** What was passed over because it holds no data of its own. */
  specialFiles?: SpecialFiles;
  /** Where a reader in another process goes on after this page. */
  cursor: string;
  done: boolean;
  /** A fault of the source that ends the job as FAILED, although reading may go on. */
  error?: string;
}

/** What a coordinator lends to a source. */
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
  /** Of the batches in hand, from heartbeats. */
  files: number;
  bytes: number;
  /** Absent where the job is at work, or has ended. */
  wait?: JobWait;
  /** The tightest quota above everything the job loads; absent while quotas are off. Of the past, without `remaining`. */
  quota?: { totalBytes: number; remaining?: number };
}

/** One of the walks that jobs of a kind make over their source. */
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
  /** In order. */
  readonly passes: readonly JobPass[];
  /** Holds some copies at two places until its last pass: quotas that are exceeded meanwhile wait for its end. */
  readonly holdsTwice?: true;
  /** Only for kinds that bring data in: the UFS paths whose quotas can be checked before the work begins. */
  quotaRoots?(spec: Record<string, unknown>): readonly string[];
  /** How the job ends, once everything has settled. */
  conclude(record: JobRecord): { state: 'SUCCEEDED' | 'FAILED'; message: string };
  /** The documented progress object. `nowMs` is the wall clock, or what it showed then. */
  progress(record: JobRecord, nowMs: number, live: LiveProgress): JobProgress;
}
