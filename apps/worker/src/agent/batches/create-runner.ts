import type { CacheStore } from '#cache-store';
import type { ProcessConfig } from '#config';
import { allEvents } from '#contexts/catalogue';
import { signedWork } from '#contexts/trust/gate';
import { workContext, type LogReader } from '#jetstream';
import { workerJobKinds } from '#job-kinds/worker';
import { Recorder } from '#runtime';
import type { Logger } from 'pino';
import type { WorkerServices } from '../../worker-services.js';
import type { JobBandwidths } from './bandwidth.js';
import type { BatchCheckpoints } from './batch-checkpoints.js';
import { BatchExecutor } from './batch-executor.js';
import { BatchRunner } from './batch-runner.js';
import { untilAvailable, type ClusterLink } from '../log/cluster-link.js';
import { ConcurrencyLimits } from './concurrency-limit.js';
import { ExclusiveGate } from './exclusive-gate.js';
import type { JobStates } from '../log/job-states.js';
import type { RunningJournal } from './running-journal.js';
import { settle } from '../reports/settle.js';
import { TransferSlots } from './transfer-slots.js';

/** What a worker has before it joins the cluster. */
export interface RunnerParts {
  config: ProcessConfig;
  cache: CacheStore;
  journal: RunningJournal;
  checkpoints: BatchCheckpoints;
  services: WorkerServices;
  logger: Logger;
}

export interface ExecutorParts extends RunnerParts {
  workerId: string;
  /** Of mounts, policies and members. */
  clusterReader: Pick<LogReader, 'caughtUp'>;
  bandwidths: JobBandwidths;
}

export interface CreateRunnerOptions extends ExecutorParts {
  cluster: ClusterLink;
  jobs: JobStates;
  clusterReader: LogReader;
  /** Receives the log sequence of each batch outcome. */
  reported: (sequence: number) => void;
}

/** Longest wait of one attempt for the log. The number of attempts is unlimited. */
const catchUpTimeoutMs = 5_000;
/** Enough for the commits of a slow disk to be large ones. */
const maxLandingBytes = 64 * 1024 * 1024;
/** Large objects under way at once, each with a file that is open and a buffer of a megabyte. */
const maxLargeObjects = 32;
/** Parts under way at once, each in memory until it is written: together as much as a fast link needs. */
const maxParts = 16;

/**
 * Builds the runner that takes batches from delivery to acknowledgement, with the parts of this worker that it needs.
 */
export function createRunner(options: CreateRunnerOptions): BatchRunner {
  const { workerId, journal, checkpoints, logger, cluster, jobs, clusterReader, reported } = options;
  const settleOptions = {
    workerId,
    store: cluster.store,
    recorder: new Recorder(allEvents),
    maxPayloadBytes: () => cluster.link.maxPayloadBytes,
    logger,
  };
  const work = signedWork({ ring: cluster.ring, unsignedThrough: () => cluster.gate.unsignedWorkThrough });
  return new BatchRunner({
    kinds: workerJobKinds,
    isGenuine: ({ jobId, bytes, sequence }) => work.holds(workContext(workerId, jobId), bytes, sequence),
    jobs,
    executor: createExecutor(options),
    namespaceAt: (sequence, signal) =>
      untilAvailable(logger, signal, () => clusterReader.waitFor(sequence, catchUpTimeoutMs)),
    settle: async (batch, outcome, signal) => reported(await settle(settleOptions, batch, outcome, signal)),
    forget: async (batchId, why) => {
      // A stopped job can be resumed: keep the counts of processes that its batches have crashed.
      if (why !== 'stopped') await journal.forget(batchId);
      if (why === 'settled') await checkpoints.remove(batchId);
    },
    logger,
  });
}

/** Makes the executor of this worker. It needs no queue: a benchmark hands it batches directly. */
export function createExecutor(options: ExecutorParts): BatchExecutor {
  const { config, workerId, cache, journal, checkpoints, services, logger, clusterReader, bandwidths } = options;
  const { view, remover, pool, claims } = services;
  const limits = new ConcurrencyLimits(config.workerTransfers);
  return new BatchExecutor({
    workerId,
    cache,
    pool,
    members: async (signal) => {
      await untilAvailable(logger, signal, () => clusterReader.caughtUp(catchUpTimeoutMs));
      return view.members();
    },
    checkpointOf: (batchId) => checkpoints.of(batchId),
    removeCopy: (path, sequence) => remover.remove(path, sequence),
    unmounted: services.unmounted,
    storeOf: (path) => view.storeOf(path),
    roomFor: (batch, moves, signal) => claims.forBatch(batch, moves, signal),
    // Files of unmounted paths share one source: each fails at once.
    sourceOf: (from) => view.mountOf(from)?.ufs ?? (from.includes('://') ? '' : from),
    slots: new TransferSlots({ size: config.workerTransfers, maxLandingBytes, limitOf: (store) => limits.of(store) }),
    limitedSlots: new TransferSlots({ size: Math.max(1, Math.floor(config.workerTransfers / 2)) }),
    largeObjects: new TransferSlots({ size: Math.min(maxLargeObjects, config.workerTransfers) }),
    parts: new TransferSlots({ size: Math.min(maxParts, config.workerTransfers) }),
    bandwidths,
    gate: new ExclusiveGate(),
    journal,
    retry: { attempts: config.maxAttempts, baseDelayMs: config.retryBaseMs, maxDelayMs: config.retryMaxMs },
    logger,
  });
}
