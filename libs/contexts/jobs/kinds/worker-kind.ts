import type { CacheStore } from '#cache-store';
import type { Worker } from '#contexts/membership';
import type { HashRing } from '#hash-ring';
import type { RetryPolicy, UfsConnector } from '#ufs';
import type { Counts, FileFailure, WorkBatch } from '../index.js';

/** The outcome of a whole batch. Each file counts in exactly one of the kind's file counters. */
export interface BatchOutcome {
  counts: Counts;
  failures: FileFailure[];
}

/** The workers of the cluster at one moment of the log. */
export interface ClusterMembers {
  /** Log sequence of the last change of membership that is included. */
  sequence: number;
  ring: HashRing;
  /** All workers that ever joined, the decommissioned included, by id. */
  workers: Readonly<Record<string, Worker>>;
}

/**
 * A note on disk that a batch keeps until it is settled. It survives a restart of the process and a stop of the job.
 */
export interface Checkpoint {
  /** The value that was saved last, as plain JSON; undefined at first. */
  load(): Promise<unknown>;
  save(value: unknown): Promise<void>;
}

/** Copies that can be found and removed. */
export type CopySource = Pick<CacheStore, 'get' | 'entries' | 'delete'>;

/** Room below quotas for one copy. */
export interface RoomClaim {
  /** To be called once the copy's bytes count as held, or will not come. */
  release(): void;
}

/** A place among the transfers that may be under way at once. */
export interface TransferSlot {
  /**
   * The bytes have come, and only the disk is left. Gives the slot to the next transfer, unless too many bytes wait for
   * the disk already. Call it at most once, for a small object only: its duration tells how busy the store is.
   */
  arrived(bytes: number): void;
}

/** What a worker lends to the batch it executes. */
export interface WorkerPorts {
  /** The worker that executes the batch. */
  workerId: string;
  /** The copies that mounts cover. */
  cache: CacheStore;
  /**
   * The members by everything that was in the log at the call. Waits while NATS is away. @throws the signal's reason
   */
  members(): Promise<ClusterMembers>;
  /**
   * Removes a copy that other workers hold. The reason lies in the membership, so the copy is removed only while the
   * membership is still that of `sequence`. From then on this worker no longer vouches for the copy towards others.
   * False: nothing was removed.
   */
  removeCopy(path: string, sequence: number): Promise<boolean>;
  /** The copies that no mount covers: nothing is mounted at their path, or another store is. */
  unmounted: CopySource;
  /**
   * The store that is mounted where a UFS path is, by the mount table as last read; undefined where nothing is mounted.
   */
  storeOf(ufsPath: string): string | undefined;
  /** The connector of the mount that covers this UFS path. @throws UfsError `Outside` where no mount does */
  connectorFor(ufsPath: string): UfsConnector;
  /**
   * Claim the room before a copy of this size is written; release it when the copy is in the cache.
   * @throws DomainError Refused where a quota leaves no room
   */
  claimRoom(path: string, sizeBytes: number): Promise<RoomClaim>;
  /**
   * Runs at most about LARDER_WORKER_TRANSFERS files at once over all batches of this worker, and as many of one store as
   * that store serves well; shared out fairly by job and by where the bytes come from.
   * @param from UFS path of the file, or the name of another source; default: the batch as a whole
   */
  withTransferSlot<T>(signal: AbortSignal, run: (slot: TransferSlot) => Promise<T>, from?: string): Promise<T>;
  /**
   * Inside of a transfer slot, for an object that is not read in one piece: each of these has a file open and a buffer of
   * its own, so there are far fewer of these slots.
   */
  withLargeObjectSlot<T>(signal: AbortSignal, run: () => Promise<T>, from?: string): Promise<T>;
  /** The same for parts of large objects, which are held in memory until they are written. */
  withPartSlot<T>(signal: AbortSignal, run: () => Promise<T>, from?: string): Promise<T>;
  /** Whether the job has a bandwidth limit at present. */
  isThrottled(jobId: string): boolean;
  /** Waits until the job may move so many more bytes; bytes/s per worker, 0 = unlimited. */
  throttle(jobId: string, bytes: number, signal: AbortSignal): Promise<void>;
  retry: RetryPolicy;
  checkpoint: Checkpoint;
  /** Aborted when the job is stopped, taken over for another worker, or the worker shuts down. */
  signal: AbortSignal;
  /** For the heartbeat: files finished and bytes moved since the last call. */
  onProgress(files: number, bytes: number): void;
}

/** The worker's half of a job kind. Executing a batch again must lead to the same cache and the same counts. */
export interface WorkerJobKind {
  readonly name: string;
  /**
   * @throws only when aborted or on a bug. The outcome of each file is a count; an error of a file is also a failure in
   * the outcome.
   */
  execute(batch: WorkBatch, ports: WorkerPorts): Promise<BatchOutcome>;
  /** The outcome of a batch that is given up without being executed: every file failed for this reason. */
  failAll(batch: WorkBatch, reason: string): BatchOutcome;
  /**
   * Whether the batch moves copies: they leave their old place afterwards, so quotas above them do not limit the batch.
   */
  moves?(batch: WorkBatch): boolean;
  /** Bytes/s that the batch may move, 0 = unlimited; without this, the option `bandwidth`. */
  bandwidthOf?(batch: WorkBatch): number;
}
