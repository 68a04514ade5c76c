import { logMarkVerb, type LogMarkAnswer } from '#contexts/log';
import { LogEnds, type MarkFile } from '#contexts/log/marks';
import { figuresVerb, type WorkerHeartbeat } from '#contexts/membership';
import { coordinatorKeys } from '#contexts/trust/gate';
import {
  Broadcasts,
  BroadcastSeal,
  LogDamagedError,
  LogReader,
  WorkConsumer,
  type DecodedCommit,
  type Names,
  type NatsLink,
  type VoidMessage,
} from '#jetstream';
import type { Identity } from '../identity.js';
import { JobBandwidths } from './batches/bandwidth.js';
import { type BatchRunner } from './batches/batch-runner.js';
import { createRunner, type RunnerParts } from './batches/create-runner.js';
import { openClusterLink, untilAvailable, type ClusterLink } from './log/cluster-link.js';
import { catchUp, forgetEndedJobs } from './batches/ended-jobs.js';
import { Heartbeat } from './reports/heartbeat.js';
import { JobStates, jobsFrom } from './log/job-states.js';
import { untilLogAgrees } from './log/log-agreement.js';

export interface AgentOptions extends RunnerParts {
  identity: Identity;
  /** `host:port` of the read path, as others reach it. */
  address: string;
  /** How much of the log this worker has seen. */
  mark: MarkFile;
  version: string;
  /** The log cannot be read any further: the process must end. */
  onFatal: (error: unknown) => void;
}

const catchUpTimeoutMs = 5000;

/** The worker's part in the cluster: follows the log, takes batches from its queue, reports their outcomes. */
export class WorkerAgent {
  private readonly stopping = new AbortController();
  private readonly bandwidths = new JobBandwidths();
  private readonly readers: LogReader[] = [];
  private cluster: ClusterLink | undefined;
  private runner: BatchRunner | undefined;
  private consumer: WorkConsumer | undefined;
  private heartbeat: Heartbeat | undefined;
  private missing: string | undefined = 'the worker is starting';
  /** Why this worker refuses the log: it is not the log that the worker has seen before. */
  private refusesLog: string | undefined;
  /**
   * The cache's totals include everything that this worker, in this or an earlier process, reported up to this
   * sequence.
   */
  private reportedSequence = 0;
  private beats = 0;

  /** One for all connections of this process: its messages are numbered. */
  private readonly seal: BroadcastSeal;

  constructor(private readonly options: AgentOptions) {
    this.seal = new BroadcastSeal(options.config.secretKeys);
  }

  /** Undefined while batches are taken, else one sentence on what is missing. */
  notReady(): string | undefined {
    return this.missing ?? this.cluster?.link.trouble;
  }

  /** Resolves when batches are taken. @throws the abort reason when stopped meanwhile */
  async start(): Promise<void> {
    const { config, identity, address, logger } = this.options;
    const { signal } = this.stopping;
    const { natsUrl, cluster: name } = config;
    const { workerId } = identity;
    const waiting = (what: string) => void (this.missing = what);
    const connected = (link: NatsLink, names: Names) => this.tellMark(link, names);
    const { signingKey } = identity;
    const trust = { signingKey, ring: coordinatorKeys(config) };
    const options = { natsUrl, cluster: name, workerId, ...trust, logger, signal, connected, waiting };
    const cluster = await openClusterLink(options);
    this.cluster = cluster;
    const broadcasts = new Broadcasts(cluster.link, this.seal);
    const grantSubject = cluster.names.coordinatorsControl('quota-grant');
    const { claims, policies } = this.options.services;
    claims.connect((request, timeoutMs) => broadcasts.request(grantSubject, request, timeoutMs));
    waiting('the log is being compared with the log mark of this worker');
    await this.untilLogAgrees(cluster, broadcasts);
    waiting('the log is being read');
    const { jobs, clusterReader } = await this.followLog(cluster);
    signal.throwIfAborted();

    const runner = createRunner({
      ...this.options,
      workerId,
      cluster,
      jobs,
      clusterReader,
      bandwidths: this.bandwidths,
      reported: (sequence) => {
        this.reportedSequence = Math.max(this.reportedSequence, sequence);
        this.options.mark.saw(sequence);
      },
    });
    this.runner = runner;
    this.refusesLog = undefined;
    this.options.services.watchKeys(logger);
    // Coordinators need to know at once what is held below a quota that was just set.
    policies.begin(() => this.heartbeat?.beat());
    broadcasts.respond(cluster.names.workersControl(figuresVerb), () => this.describe());
    this.showItself(cluster.names, broadcasts);
    this.consumer = new WorkConsumer(cluster.link, cluster.names, workerId);
    this.consumer.run({ maxConcurrent: config.workerBatches, handle: (message) => runner.handle(message) });
    this.missing = undefined;
    // This worker has seen more of the log than its readers follow: the part that is missing may hold its own reports.
    cluster.link.onStatus((status) => void (status === 'connected' && this.compareAgain(cluster)));
    logger.info({ address, bootId: identity.bootId }, 'worker ready');
    void this.forgetEnded(jobs);
  }

  /** A coordinator that starts asks all workers, also those that could not join. */
  private tellMark(link: NatsLink, names: Names): void {
    const { identity, address, mark } = this.options;
    const answer = (): LogMarkAnswer => ({ workerId: identity.workerId, address, mark: mark.mark });
    new Broadcasts(link, this.seal).respond(names.workersControl(logMarkVerb), answer);
  }

  /** Until then nothing is served either, as the mounts are unknown. Coordinators receive the reason. */
  private async untilLogAgrees({ store, names }: ClusterLink, broadcasts: Broadcasts): Promise<void> {
    const { mark, logger, config } = this.options;
    const ends = new LogEnds(store);
    const refuse = (reason: string): void => {
      this.missing = `the log is not the one that was seen: ${reason}; see docs/safe-start.md`;
      this.refusesLog = reason;
      logger.error(`no batches are taken: ${reason}`);
      this.showItself(names, broadcasts);
    };
    const { signal } = this.stopping;
    const graceMs = config.logGraceMs;
    await untilLogAgrees({ look: () => ends.look(), mark: () => mark.mark, signal, refuse, graceMs });
    if (this.refusesLog !== undefined) logger.info('the log agrees again with the log mark');
  }

  /** NATS is back: if its log has lost something, this process must end. The next one will then refuse the log. */
  private compareAgain({ store }: ClusterLink): void {
    const { mark, onFatal, logger, config } = this.options;
    const ends = new LogEnds(store);
    const refuse = (reason: string) => onFatal(new LogDamagedError('log-lost-tail', reason));
    const { signal } = this.stopping;
    const watch = { look: () => ends.look(), mark: () => mark.mark, graceMs: config.logGraceMs };
    untilLogAgrees({ ...watch, signal, refuse }).catch((error: unknown) => {
      if (!signal.aborted) logger.warn({ err: error }, 'the log could not be compared with the log mark');
    });
  }

  private showItself(names: Names, broadcasts: Broadcasts): void {
    const subject = names.workerHeartbeat(this.options.identity.workerId);
    if (this.heartbeat) this.heartbeat.beat();
    this.heartbeat ??= new Heartbeat(
      this.options.config.heartbeatMs,
      () => this.describe(),
      (now) => broadcasts.publish(subject, now),
    );
  }

  /** Takes no more batches, breaks off the running ones (they come back later), announces the end. */
  async stop(): Promise<void> {
    this.missing = 'the worker is stopping';
    this.stopping.abort(new Error('the worker stops'));
    await this.stopTakingBatches();
    this.heartbeat?.leave();
    for (const reader of this.readers) reader.stop();
    await this.cluster?.link.drain();
  }

  private async followLog(cluster: ClusterLink): Promise<{ jobs: JobStates; clusterReader: LogReader }> {
    const { identity, logger, services, cache } = this.options;
    const { signal } = this.stopping;
    const { store } = cluster;
    const jobs = new JobStates(async (boundary) => (await store.lastOf(boundary))?.commit, {
      jobEnded: (jobId, ...ended) => (this.runner?.jobEnded(jobId, ...ended), cache.letGo(jobId)),
      jobResumed: (jobId) => void cache.keepFor(jobId),
      jobRetuned: (jobId, rate) => this.bandwidths.retune(jobId, rate),
    });
    const clusterReader = this.read(cluster, '*', 1, (commit) => {
      services.view.evolve(commit);
      if (services.view.isDecommissioned(identity.bootId)) this.leaveQueue();
    });
    // Earlier events of a job are looked up when one of its batches arrives.
    const { lastSequence } = await untilAvailable(logger, signal, () => store.unconfirmedInfo());
    this.reportedSequence = lastSequence;
    this.options.mark.saw(lastSequence);
    const isInPlace = (commit: DecodedCommit) => untilAvailable(logger, signal, () => store.isInPlace(commit));
    const failed = (error: unknown): void => void (signal.aborted || this.options.onFatal(error));
    const told = jobsFrom(lastSequence + 1, jobs, isInPlace, failed);
    const jobReader = this.read(cluster, 'job.*', lastSequence + 1, told);
    cache.onKeptFull(() => catchUp(jobReader, catchUpTimeoutMs));
    await untilAvailable(logger, signal, () => clusterReader.caughtUp(catchUpTimeoutMs));
    await services.noteRead();
    services.view.catchUpBy(async () => {
      if (cluster.link.trouble === undefined) await clusterReader.caughtUp(catchUpTimeoutMs);
    });
    return { jobs, clusterReader };
  }

  private read(
    { link, names, codec, store, gate }: ClusterLink,
    filter: string,
    startSequence: number,
    onCommit: (commit: DecodedCommit) => void,
  ): LogReader {
    const { onFatal, mark, config, logger } = this.options;
    const taken = (commit: DecodedCommit): void => {
      onCommit(commit);
      mark.follow(commit);
    };
    const onVoid = (message: VoidMessage): void => {
      logger.error(message, 'a message of the log is void and is skipped');
      mark.saw(message.sequence);
    };
    const lostTailGraceMs = config.logGraceMs;
    const options = { startSequence, filter, gate, onCommit: taken, onVoid, onFatal, lostTailGraceMs };
    const reader = new LogReader(link, names, codec, store, options);
    this.readers.push(reader);
    reader.start();
    return reader;
  }

  private async stopTakingBatches(): Promise<void> {
    const handled = this.runner?.stop();
    await this.consumer?.stop({ drain: true });
    await handled;
  }

  private describe(): WorkerHeartbeat {
    const { identity, address, cache, version, services, mark } = this.options;
    const { workerId, bootId, publicKey } = identity;
    // Read before the numbers: these may then include later reports too, but never miss one.
    const { reportedSequence, refusesLog } = this;
    const { capacityBytes, usedBytes, objects } = cache.stats();
    const { bytes: unmountedBytes, objects: unmountedObjects } = services.unmounted.usage();
    const quotaUsage = services.policies.quotaUsage();
    const running = this.runner?.running() ?? [];
    const held = this.consumer?.heldPlaces ?? [];
    const log = { ...(mark.mark && { logMark: mark.mark }), ...(refusesLog !== undefined && { refusesLog }) };
    const { namespaceSequence } = services.view;
    const totals = {
      capacityBytes,
      usedBytes,
      objects,
      unmountedBytes,
      unmountedObjects,
      reportedSequence,
      namespaceSequence,
      ...(quotaUsage && { quotaUsage }),
      quotaClaims: services.claims.describe(),
      beat: ++this.beats,
    };
    return { workerId, address, bootId, publicKey, ...totals, ...log, version, running, held };
  }

  /** An operator took this process out of the cluster: its batches go to others. What is cached is still served. */
  private leaveQueue(): void {
    if (this.missing === decommissioned) return;
    this.missing = decommissioned;
    this.options.logger.warn('decommissioned: no more batches are taken until this worker is restarted');
    this.stopTakingBatches().catch((error: unknown) => {
      this.options.logger.error({ err: error }, 'leaving the queue failed');
    });
  }

  /** Clears what jobs left here that ended while this worker was away. */
  private async forgetEnded(jobs: JobStates): Promise<void> {
    const { journal, cache, logger } = this.options;
    const { signal } = this.stopping;
    const ask = (question: 'isFinished' | 'isOver') => (jobId: string) =>
      untilAvailable(logger, signal, () => jobs[question](jobId));
    const left = { journal, cache, isFinished: ask('isFinished'), isOver: ask('isOver') };
    await forgetEndedJobs(left).catch((error: unknown) => {
      if (!signal.aborted) logger.warn({ err: error }, 'the remains of ended jobs could not be cleared');
    });
  }
}

const decommissioned = 'this worker was decommissioned; restart it to let it join again';
