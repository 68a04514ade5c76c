import { Inject, Injectable, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { WorkerClient, WorkerWatch } from '#contexts/membership/http';
import { KeyRing, mountOfUfsPath, namespaceView } from '#contexts/namespace';
import { ConnectorPool } from '#contexts/namespace/ufs';
import { EventStore, WorkQueue } from '#jetstream';
import { DomainError } from '#kernel';
import { CommandHandler, CONFIG, Heartbeats, ownContext, Recorder, Shutdown, Views, type LarderConfig } from '#runtime';
import { openUfs } from '#ufs';
import {
  job,
  jobBoundary,
  jobGone,
  jobs,
  quotaBoundary,
  type JobCommand,
  type JobRecord,
  type Pass,
} from '../index.js';
import { QuotaLedger } from '../quota/quota-ledger.js';
import { JobRun } from './job-run.js';
import type { JobRunPorts } from './ports.js';
import { Presence } from './presence.js';

/** Short beside the silence after which an owner is taken for dead: what is added to it is how long a job stands still. */
const sweepMs = 100;

/** Takes jobs that have no living owner, and runs the ones that are this coordinator's. */
@Injectable()
export class JobOwners implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger('jobs');
  private readonly runs = new Map<string, { epoch: number; run: JobRun; ended: Promise<void> }>();
  private readonly assuming = new Set<string>();
  private readonly connectors: ConnectorPool;
  private readonly actor: string;
  private timer?: NodeJS.Timeout;
  private unsubscribe?: () => void;

  constructor(
    private readonly views: Views,
    private readonly commands: CommandHandler,
    private readonly work: WorkQueue,
    private readonly bus: Heartbeats,
    private readonly presence: Presence,
    private readonly ledger: QuotaLedger,
    private readonly workers: WorkerClient,
    private readonly watch: WorkerWatch,
    private readonly store: EventStore,
    private readonly recorder: Recorder,
    private readonly shutdown: Shutdown,
    keyRing: KeyRing,
    @Inject(CONFIG) private readonly config: LarderConfig,
  ) {
    this.actor = `coordinator:${bus.selfId}`;
    const tuning = {
      idleTimeoutMs: config.ufsIdleTimeoutMs,
      connectTimeoutMs: config.ufsConnectTimeoutMs,
      maxConnections: config.ufsConnections,
    };
    this.connectors = new ConnectorPool(
      (ufsPath) => mountOfUfsPath(views.get(namespaceView).state, ufsPath),
      ({ ufs, options }) => openUfs({ ufs, options: keyRing.openOptions(options) }, tuning),
      { basePauseMs: config.retryBaseMs, maxPauseMs: config.retryMaxMs, maxOutageMs: config.ufsOutageMs },
    );
  }

  onApplicationBootstrap(): void {
    this.unsubscribe = this.views.onCommit((commit) => {
      const [scope, id] = commit.boundary.split('.');
      if (scope === 'job') this.endUnlessRunning(id);
      if (scope === 'job' || scope === 'batch') this.runs.get(id)?.run.wake();
      if (scope === 'membership') for (const { run } of this.runs.values()) run.wake();
      if (scope === 'slot' || scope === 'job') this.sweep();
      if (scope === 'namespace') {
        void this.connectors.keepOnly(this.views.get(namespaceView).state.mounts).catch((error: unknown) => {
          this.logger.warn(`a UFS connector did not close: ${String(error)}`);
        });
      }
    });
    this.presence.tellOfWaits(() =>
      [...this.runs].flatMap(([jobId, { run }]) => (run.storeWait ? [{ jobId, ...run.storeWait }] : [])),
    );
    this.timer = setInterval(() => this.sweep(), sweepMs);
    this.shutdown.draining.addEventListener('abort', () => this.letGo());
  }

  async onModuleDestroy(): Promise<void> {
    this.letGo();
    await Promise.all([...this.runs.values()].map(({ ended }) => ended));
    await this.connectors.close();
  }

  /** Ends the runs without a word in the log: another coordinator, or this one restarted, takes the jobs over. */
  private letGo(): void {
    clearInterval(this.timer);
    this.unsubscribe?.();
    for (const { run } of this.runs.values()) run.abort();
  }

  /** A stop must not wait for the listing or for room below a quota. */
  private endUnlessRunning(jobId: string): void {
    if (this.views.get(jobs).jobs.get(jobId)?.state.status !== 'running') this.runs.get(jobId)?.run.abort();
  }

  private sweep(): void {
    if (!this.bus.connected) return;
    for (const record of this.views.get(jobs).jobs.values()) {
      if (record.state.status !== 'running') continue;
      const { owner } = record.state;
      if (owner === this.bus.selfId) this.start(record);
      else if (this.mayAssume(record)) void this.assume(record);
    }
  }

  private mayAssume({ jobId, state: { owner } }: JobRecord): boolean {
    if (this.assuming.has(jobId) || !this.presence.isChosen(jobId)) return false;
    return owner === undefined || (this.presence.canJudge() && !this.presence.isLive(owner));
  }

  private async assume({ jobId, state: { epoch } }: JobRecord): Promise<void> {
    this.assuming.add(jobId);
    try {
      await this.execute(jobId, { type: 'Assume', owner: this.bus.selfId, afterEpoch: epoch });
    } catch (error) {
      // Somebody else was quicker, the job was stopped, or NATS is away: the next sweep sees which.
      if (!(error instanceof DomainError)) throw error;
      this.logger.debug(`job ${jobId} was not assumed: ${error.message}`);
    } finally {
      this.assuming.delete(jobId);
    }
  }

  private start({ jobId, state: { epoch } }: JobRecord): void {
    const active = this.runs.get(jobId);
    if (active?.epoch === epoch) return;
    active?.run.abort();
    const run = new JobRun(jobId, epoch, this.portsOf());
    const ended = run
      .run()
      .catch((error: unknown) => this.logger.error(`the run of job ${jobId} broke: ${describe(error)}`))
      .finally(() => {
        if (this.runs.get(jobId)?.run === run) this.runs.delete(jobId);
      });
    this.runs.set(jobId, { epoch, run, ended });
  }

  private portsOf(): JobRunPorts {
    const { views, work, config, connectors, ledger, workers, watch, bus, logger } = this;
    return {
      views,
      work,
      config,
      connectors,
      ledger,
      workers,
      selfId: bus.selfId,
      isRunning: (jobId, batchId) => watch.runningBatches(jobId).some((batch) => batch.batchId === batchId),
      heldBy: (workerId) => watch.heldBy(workerId),
      reserve: (jobId, pass, step, bytes) => this.reserve(jobId, pass, step, bytes),
      execute: (jobId, command) => this.execute(jobId, command),
      log: (line) => logger.warn(line),
    };
  }

  /** Appends under what the estimate was made of: whoever reserved meanwhile makes this one conflict. */
  private async reserve(jobId: string, pass: Pass, step: number, bytes: Record<string, number>): Promise<void> {
    const data = { jobId, pass, step, bytes };
    const events = this.recorder.record([{ type: 'QuotaReserved', data }], ownContext(this.actor));
    try {
      const { sequence } = await this.store.append(quotaBoundary, this.views.get(jobs).quotaSequence, events);
      await this.views.waitFor(sequence);
    } catch (error) {
      if (error instanceof DomainError && error.kind === 'StaleVersion') await this.views.caughtUp();
      throw error;
    }
  }

  private async execute(jobId: string, command: JobCommand): Promise<void> {
    const load = () => {
      const record = this.views.get(jobs).jobs.get(jobId);
      if (!record) throw jobGone();
      return { state: record.state, sequence: record.sequence };
    };
    await this.commands.execute({ boundary: jobBoundary(jobId), decider: job, load }, command, ownContext(this.actor));
  }
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
