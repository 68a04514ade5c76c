import { membershipBoundary } from '#contexts/membership';
import { Injectable, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { namespaceBoundary, namespaceView, type Mount } from '#contexts/namespace';
import { DomainError } from '#kernel';
import { Heartbeats, Shutdown } from '#runtime';
import { batchBoundary, jobBoundary, slotBoundary, jobs, type JobRecord } from '../index.js';
import { JobRun } from './job-run.js';
import { JobRunPorts } from './ports.js';
import { Presence } from './presence.js';

/** Short compared with the silence after which an owner counts as dead: a job waits for the sum of the two. */
const sweepMs = 100;

/** Takes jobs that have no living owner, and runs the ones that are this coordinator's. */
@Injectable()
export class JobOwners implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger('jobs');
  private readonly runs = new Map<string, { epoch: number; run: JobRun; ended: Promise<void> }>();
  private readonly assuming = new Set<string>();
  private timer?: NodeJS.Timeout;
  private unsubscribe?: () => void;

  constructor(
    private readonly ports: JobRunPorts,
    private readonly bus: Heartbeats,
    private readonly presence: Presence,
    private readonly shutdown: Shutdown,
  ) {}

  onApplicationBootstrap(): void {
    const { views, connectors } = this.ports;
    let mounts: readonly Mount[] = views.get(namespaceView).state.mounts;
    this.unsubscribe = views.onCommit((commit) => {
      const { boundary } = commit;
      const job = jobBoundary.idsIn(boundary);
      if (job) this.endUnlessRunning(job.jobId);
      const told = job ?? batchBoundary.idsIn(boundary);
      if (told) this.runs.get(told.jobId)?.run.wake();
      if (boundary === membershipBoundary.name) for (const { run } of this.runs.values()) run.wake();
      const submitted = slotBoundary.eventsIn(commit).map(({ data }) => data);
      for (const { jobId } of job ? [job] : submitted) this.look(views.get(jobs).jobs.get(jobId));
      // Most changes of the namespace are policies.
      if (boundary === namespaceBoundary.name && mounts !== views.get(namespaceView).state.mounts) {
        mounts = views.get(namespaceView).state.mounts;
        void connectors.keepOnly(mounts).catch((error: unknown) => {
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
    await this.ports.connectors.close();
  }

  /**
   * Ends the runs without an event in the log. Another coordinator, or this one after a restart, takes the jobs over.
   */
  private letGo(): void {
    clearInterval(this.timer);
    this.unsubscribe?.();
    for (const { run } of this.runs.values()) run.abort();
  }

  /** Ends the run of a job that no longer runs: a stop must not wait for the listing or for room below a quota. */
  private endUnlessRunning(jobId: string): void {
    if (this.ports.views.get(jobs).jobs.get(jobId)?.state.status !== 'running') this.runs.get(jobId)?.run.abort();
  }

  private sweep(): void {
    for (const record of this.ports.views.get(jobs).jobs.values()) this.look(record);
  }

  private look(record: JobRecord | undefined): void {
    if (record?.state.status !== 'running' || !this.bus.connected) return;
    const { owner } = record.state;
    if (owner === this.bus.selfId) this.start(record);
    else if (this.mayAssume(record)) void this.assume(record);
  }

  private mayAssume({ jobId, state: { owner } }: JobRecord): boolean {
    if (this.assuming.has(jobId) || !this.presence.isChosen(jobId)) return false;
    return owner === undefined || (this.presence.canJudge() && !this.presence.isLive(owner));
  }

  private async assume({ jobId, state: { epoch } }: JobRecord): Promise<void> {
    this.assuming.add(jobId);
    try {
      await this.ports.writer.execute(jobId, { type: 'Assume', owner: this.bus.selfId, afterEpoch: epoch });
    } catch (error) {
      // Another coordinator was quicker, the job was stopped, or NATS is away. The next sweep finds out which.
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
    const run = new JobRun(jobId, epoch, this.bus.selfId, this.ports);
    const ended = run
      .run()
      .catch((error: unknown) => this.logger.error(`the run of job ${jobId} broke: ${describe(error)}`))
      .finally(() => {
        if (this.runs.get(jobId)?.run === run) this.runs.delete(jobId);
      });
    this.runs.set(jobId, { epoch, run, ended });
  }
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
