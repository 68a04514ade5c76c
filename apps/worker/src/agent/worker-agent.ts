import type { CacheStore } from '#cache-store';
import type { ProcessConfig } from '#config';
import { allEvents } from '#contexts/catalogue';
import type { WorkerHeartbeat } from '#contexts/membership';
import { Broadcasts, LogReader, WorkConsumer } from '#jetstream';
import { workerJobKinds } from '#job-kinds';
import type { Commit } from '#kernel';
import { Recorder } from '#runtime';
import type { Logger } from 'pino';
import type { Identity } from '../identity.js';
import type { WorkerServices } from '../worker-services.js';
import { JobBandwidths } from './bandwidth.js';
import type { BatchCheckpoints } from './batch-checkpoints.js';
import { BatchExecutor } from './batch-executor.js';
import { BatchRunner } from './batch-runner.js';
import { openClusterLink, untilAvailable, type ClusterLink } from './cluster-link.js';
import { ExclusiveGate } from './exclusive-gate.js';
import { Heartbeat } from './heartbeat.js';
import { JobStates } from './job-states.js';
import type { RunningJournal } from './running-journal.js';
import { settle } from './settle.js';
import { TransferSlots } from './transfer-slots.js';

export interface AgentOptions {
  config: ProcessConfig;
  identity: Identity;
  /** `host:port` of the read path, as others reach it. */
  address: string;
  cache: CacheStore;
  journal: RunningJournal;
  checkpoints: BatchCheckpoints;
  services: WorkerServices;
  version: string;
  logger: Logger;
  /** The log cannot be read any further: the process must end. */
  onFatal: (error: unknown) => void;
}

const catchUpTimeoutMs = 5000;

/** The worker's part in the cluster: follows the log, takes batches from its queue, reports what came of them. */
export class WorkerAgent {
  private readonly stopping = new AbortController();
  private readonly bandwidths = new JobBandwidths();
  private readonly readers: LogReader[] = [];
  private cluster: ClusterLink | undefined;
  private runner: BatchRunner | undefined;
  private consumer: WorkConsumer | undefined;
  private heartbeat: Heartbeat | undefined;
  private missing: string | undefined = 'the worker is starting';
  /** Everything that this worker, in this or an earlier process, has reported up to here is in its cache's totals. */
  private reportedSequence = 0;

  constructor(private readonly options: AgentOptions) {}

  /** Undefined when batches are being taken, else one sentence on what is missing. */
  notReady(): string | undefined {
    return this.missing ?? (this.cluster?.link.connected ? undefined : 'NATS cannot be reached');
  }

  /** Resolves when batches are being taken. @throws the abort reason when stopped meanwhile */
  async start(): Promise<void> {
    const { config, identity, address, logger } = this.options;
    const { signal } = this.stopping;
    const { natsUrl, cluster: name } = config;
    const { workerId } = identity;
    const waiting = (what: string) => void (this.missing = what);
    const cluster = await openClusterLink({ natsUrl, cluster: name, workerId, logger, signal, waiting });
    this.cluster = cluster;
    const broadcasts = new Broadcasts(cluster.link);
    const grantSubject = cluster.names.coordinatorsControl('quota-grant');
    const { grants, policies } = this.options.services;
    grants.connect((request, timeoutMs) => broadcasts.request(grantSubject, request, timeoutMs));
    waiting('the log is being read');
    const { jobs, clusterReader } = await this.followLog(cluster);
    signal.throwIfAborted();

    const runner = this.createRunner(cluster, jobs, clusterReader);
    const subject = cluster.names.workerHeartbeat(workerId);
    this.runner = runner;
    // Coordinators want to know at once what is held below a quota that has just been set.
    policies.begin(() => this.heartbeat?.beat());
    this.heartbeat = new Heartbeat(
      config.heartbeatMs,
      () => this.describe(runner),
      (now) => broadcasts.publish(subject, now),
    );
    this.consumer = new WorkConsumer(cluster.link, cluster.names, workerId);
    this.consumer.run({ maxConcurrent: config.workerBatches, handle: (message) => runner.handle(message) });
    this.missing = undefined;
    logger.info({ address, bootId: identity.bootId }, 'worker ready');
    void this.clearJournal(jobs);
  }

  /** Takes no more batches, breaks off those in hand (they come back later), says goodbye. */
  async stop(): Promise<void> {
    this.missing = 'the worker is stopping';
    this.stopping.abort(new Error('the worker stops'));
    await this.stopTakingBatches();
    this.heartbeat?.leave();
    for (const reader of this.readers) reader.stop();
    await this.cluster?.link.drain();
  }

  private async followLog(cluster: ClusterLink): Promise<{ jobs: JobStates; clusterReader: LogReader }> {
    const { identity, logger, services } = this.options;
    const { signal } = this.stopping;
    const { store } = cluster;
    const jobs = new JobStates((boundary) => store.lastOf(boundary), {
      jobStopped: (jobId) => this.runner?.abortJob(jobId),
      jobRetuned: (jobId, bandwidth) => this.bandwidths.retune(jobId, bandwidth),
    });
    const clusterReader = this.read(cluster, '*', 1, (commit) => {
      services.view.evolve(commit);
      if (services.view.isDecommissioned(identity.bootId)) this.leaveQueue();
    });
    // What happened to jobs before is looked up when a batch of theirs arrives.
    const { lastSequence } = await untilAvailable(logger, signal, () => store.info());
    this.reportedSequence = lastSequence;
    this.read(cluster, 'job.*', lastSequence + 1, (commit) => jobs.evolve(commit));
    await untilAvailable(logger, signal, () => clusterReader.caughtUp(catchUpTimeoutMs));
    return { jobs, clusterReader };
  }

  private read(
    { link, names, codec, store }: ClusterLink,
    filter: string,
    startSequence: number,
    onCommit: (commit: Commit) => void,
  ): LogReader {
    const { onFatal } = this.options;
    const reader = new LogReader(link, names, codec, store, { startSequence, filter, onCommit, onFatal });
    this.readers.push(reader);
    reader.start();
    return reader;
  }

  private async stopTakingBatches(): Promise<void> {
    const handled = this.runner?.stop();
    await this.consumer?.stop({ drain: true });
    await handled;
  }

  private createRunner(cluster: ClusterLink, jobs: JobStates, clusterReader: LogReader): BatchRunner {
    const { config, identity, cache, journal, checkpoints, logger, services } = this.options;
    const { view, remover, pool } = services;
    const { workerId } = identity;
    const executor = new BatchExecutor({
      workerId,
      cache,
      pool,
      members: async (signal) => {
        await untilAvailable(logger, signal, () => clusterReader.caughtUp(catchUpTimeoutMs));
        return view.members();
      },
      checkpointOf: (batchId) => checkpoints.of(batchId),
      removeCopy: (path, sequence) => remover.remove(path, sequence),
      slots: new TransferSlots(config.workerTransfers),
      limitedSlots: new TransferSlots(Math.max(1, Math.floor(config.workerTransfers / 2))),
      bandwidths: this.bandwidths,
      gate: new ExclusiveGate(),
      journal,
      retry: { attempts: config.maxAttempts, baseDelayMs: config.retryBaseMs, maxDelayMs: config.retryMaxMs },
      logger,
    });
    const settleOptions = {
      workerId,
      store: cluster.store,
      recorder: new Recorder(allEvents),
      maxPayloadBytes: () => cluster.link.maxPayloadBytes,
      logger,
    };
    return new BatchRunner({
      kinds: workerJobKinds,
      jobs,
      executor,
      namespaceAt: (sequence, signal) =>
        untilAvailable(logger, signal, () => clusterReader.waitFor(sequence, catchUpTimeoutMs)),
      settle: async (batch, outcome, signal) => {
        const sequence = await settle(settleOptions, batch, outcome, signal);
        this.reportedSequence = Math.max(this.reportedSequence, sequence);
      },
      forget: async (batchId, why) => {
        await journal.forget(batchId);
        if (why === 'settled') await checkpoints.remove(batchId);
      },
      logger,
    });
  }

  private describe(runner: BatchRunner): WorkerHeartbeat {
    const { identity, address, cache, version, services } = this.options;
    const { workerId, bootId } = identity;
    // Before the numbers: what is reported meanwhile may be in them too, but never the other way round.
    const { reportedSequence } = this;
    const { capacityBytes, usedBytes, objects } = cache.stats();
    const quotaUsage = services.policies.quotaUsage();
    const running = runner.running();
    const totals = { capacityBytes, usedBytes, objects, reportedSequence, ...(quotaUsage && { quotaUsage }) };
    return { workerId, address, bootId, ...totals, version, running };
  }

  /** An operator took this process out of the cluster: its batches go to others; what is cached is still served. */
  private leaveQueue(): void {
    if (this.missing === decommissioned) return;
    this.missing = decommissioned;
    this.options.logger.warn('decommissioned: no more batches are taken until this worker is restarted');
    this.stopTakingBatches().catch((error: unknown) => {
      this.options.logger.error({ err: error }, 'leaving the queue failed');
    });
  }

  /** Suspects whose jobs have ended will not be delivered again. */
  private async clearJournal(jobs: JobStates): Promise<void> {
    const { journal, logger } = this.options;
    try {
      for (const { jobId, batchId } of journal.suspects()) {
        const job = await untilAvailable(logger, this.stopping.signal, () => jobs.statusOf(jobId));
        if (!job.running) await journal.forget(batchId);
      }
    } catch (error) {
      if (!this.stopping.signal.aborted) logger.warn({ err: error }, 'the journal could not be cleared');
    }
  }
}

const decommissioned = 'this worker was decommissioned; restart it to let it join again';
