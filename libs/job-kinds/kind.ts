import type { CacheStore } from '#cache-store';
import type { Counts, FileFailure, WorkBatch } from '#contexts/jobs';
import type { UfsConnector } from '#ufs';

/** What came of a whole batch. Each file counts in exactly one of the kind's file counters. */
export interface BatchOutcome {
  counts: Counts;
  failures: FileFailure[];
}

/** What a worker lends to the batch it executes. */
export interface WorkerPorts {
  cache: CacheStore;
  /** The connector of the mount that covers this UFS path. @throws UfsError `Outside` where none does */
  connectorFor(ufsPath: string): UfsConnector;
  /** Runs at most LARDER_WORKER_TRANSFERS files at once over all batches of this worker. */
  withTransferSlot<T>(signal: AbortSignal, run: () => Promise<T>): Promise<T>;
  /** Waits until the job may move so many more bytes; bytes/s per worker, 0 = unlimited. */
  throttle(jobId: string, bytes: number, signal: AbortSignal): Promise<void>;
  retry: { attempts: number; baseDelayMs: number; maxDelayMs: number };
  /** Aborted when the job is stopped, taken over for another worker, or the worker shuts down. */
  signal: AbortSignal;
  /** For the heartbeat: files finished and bytes moved since the last call. */
  onProgress(files: number, bytes: number): void;
}

/** The worker's half of a job kind. Executing a batch again must lead to the same cache and the same counts. */
export interface WorkerJobKind {
  readonly name: string;
  /** @throws only when aborted or on a bug: whatever happens to a file is a count and, if bad, a failure. */
  execute(batch: WorkBatch, ports: WorkerPorts): Promise<BatchOutcome>;
}
