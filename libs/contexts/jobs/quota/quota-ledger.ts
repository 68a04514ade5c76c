import { Inject, Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { listWorkers, membershipView, type QuotaClaim } from '#contexts/membership';
import { WorkerWatch } from '#contexts/membership/http';
import { namespaceView, quotasOf, ufsPolicies, type UfsPolicies, type UfsPolicy } from '#contexts/namespace';
import { SharedQuestion } from '#jetstream';
import { DomainError, type Commit } from '#kernel';
import { CONFIG, Views, type LarderConfig } from '#runtime';
import { batchBoundary, jobBoundary, jobs, reservedBytes } from '../index.js';

/** A settled batch whose bytes its worker's heartbeat may not include yet. */
interface Unreported {
  sequence: number;
  quotaBytes: Record<string, number>;
}

/** At most so many reports wait for their plan, after a crash of the owner or from a quick worker. */
const maxEarly = 10_000;

/**
 * A worker's question about a copy for which no job has reserved room. Its figures show the claim under the same id.
 */
export interface GrantRequest {
  id: string;
  path: string;
  bytes: number;
}

/** `unsure`: not all workers could be asked, and a later try may have another answer. */
export interface Grant {
  granted: boolean;
  reason?: string;
  unsure?: boolean;
}

/**
 * How full quotas are. Workers count the bytes that they hold and the bytes on their way to them. They send these
 * figures in heartbeats and in answers. Between a report in the log and the figures that include it, the ledger counts
 * the bytes of the report.
 *
 * Room is taken in two steps. A worker first records its claim, an owner its reservation. Then the decision asks all
 * workers and the log (`refresh`). So when two take the last room at once, at least one sees the other, even if they
 * ask different coordinators.
 */
@Injectable()
export class QuotaLedger implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly planned = new Map<string, Record<string, number>>();
  private readonly unreported = new Map<string, Unreported[]>();
  /** Batches that the log shows settled before planned. */
  private readonly early = new Map<string, { workerId: string; sequence: number }>();
  /** Claims that this coordinator was asked about and has not decided yet. */
  private readonly undecided = new Set<string>();
  private readonly figures = new SharedQuestion(() => this.askAll());
  private unsubscribe?: () => void;

  constructor(
    private readonly views: Views,
    private readonly watch: WorkerWatch,
    @Inject(CONFIG) private readonly config: LarderConfig,
  ) {}

  onApplicationBootstrap(): void {
    for (const record of this.views.get(jobs).jobs.values()) {
      for (const batch of Object.values(record.inFlight)) {
        if (batch.quotaBytes) this.planned.set(batch.id, batch.quotaBytes);
      }
    }
    this.unsubscribe = this.views.onCommit((commit) => this.follow(commit));
  }

  onModuleDestroy(): void {
    this.unsubscribe?.();
  }

  /** The quotas that apply to a UFS path; empty while quotas are switched off. */
  quotasOf(ufsPath: string): UfsPolicy<number>[] {
    return this.config.quota ? quotasOf(this.currentPolicies(), ufsPath) : [];
  }

  /** Whether any quota applies to something at or below one of these UFS paths. */
  concerns(ufsPath: string): boolean {
    const bare = ufsPath.replace(/\/$/, '');
    const { quotas } = this.currentPolicies();
    return this.config.quota && (quotas.covering(bare).length > 0 || quotas.hasBelow(bare));
  }

  /** The UFS paths of a quota of the namespace: one path, or a path for each mount below it. */
  ufsPathsOf(path: string): string[] {
    return this.currentPolicies().quotas.ufsPathsOf(path);
  }

  /** The tightest of the quotas that apply to all of these UFS paths; undefined without such a quota. */
  tightest(
    ufsPaths: readonly string[],
    estimate = (quotaUfsPath: string): number => this.estimate(quotaUfsPath),
  ): { limit: number; remaining: number } | undefined {
    return this.common(ufsPaths)
      .map(({ ufsPath, value }) => ({ limit: value, remaining: Math.max(0, value - estimate(ufsPath)) }))
      .sort((a, b) => a.remaining - b.remaining)[0];
  }

  /** The bytes of the smallest of these quotas. */
  smallest(ufsPaths: readonly string[]): number | undefined {
    return this.common(ufsPaths)
      .map(({ value }) => value)
      .sort((a, b) => a - b)[0];
  }

  private common(ufsPaths: readonly string[]): UfsPolicy<number>[] {
    const [first, ...rest] = ufsPaths.map((ufsPath) => this.quotasOf(ufsPath.replace(/\/$/, '')));
    return (first ?? []).filter(({ ufsPath }) => rest.every((some) => some.some((one) => one.ufsPath === ufsPath)));
  }

  limit(quotaUfsPath: string): number {
    return this.describe(quotaUfsPath).limit;
  }

  /**
   * The quota's path in the namespace and its bytes; an infinite limit where it was removed meanwhile. A quota on a mount
   * point and one above it have the same UFS path. Then the smaller one counts, because both must hold.
   */
  describe(quotaUfsPath: string): { path: string; limit: number } {
    const [quota] = this.currentPolicies()
      .quotas.covering(quotaUfsPath)
      .filter(({ ufsPath }) => ufsPath === quotaUfsPath)
      .sort((a, b) => a.value - b.value);
    return quota ? { path: quota.path, limit: quota.value } : { path: quotaUfsPath, limit: Infinity };
  }

  /** @param counts which workers to count; default: all that were heard */
  usedBytes(quotaUfsPath: string, counts: (workerId: string) => boolean = () => true): number {
    const workers = this.workers().filter(counts);
    return workers.reduce(
      (sum, workerId) => sum + (this.watch.lastHeartbeat(workerId)?.quotaUsage?.[quotaUfsPath] ?? 0),
      0,
    );
  }

  online(): string[] {
    return listWorkers(this.views.get(membershipView).state)
      .filter(({ status }) => status === 'online')
      .map(({ workerId }) => workerId);
  }

  /** Quotas that are exceeded by the bytes of online workers; empty while quotas are switched off. */
  overfull(): UfsPolicy<number>[] {
    if (!this.config.quota) return [];
    const online = this.online();
    return [...this.currentPolicies().quotas].filter(
      ({ ufsPath, value }) => this.usedBytes(ufsPath, (workerId) => online.includes(workerId)) > value,
    );
  }

  reservedBytes(quotaUfsPath: string): number {
    return reservedBytes(this.views.get(jobs), quotaUfsPath);
  }

  /** Bytes that are used or on their way: never less than the true number as of the last `refresh`. */
  estimate(quotaUfsPath: string, except?: string): number {
    return this.usedBytes(quotaUfsPath) + this.underWay(quotaUfsPath, except);
  }

  /**
   * Brings the views to the log's end, then asks every worker for its figures. Calls during a round share the next
   * round.
   * @returns false where an online worker did not answer, so that its figures are not known
   * @throws DomainError Unavailable
   */
  refresh(): Promise<boolean> {
    return this.figures.ask();
  }

  /** Whether every worker that is online counts what it holds below this quota. */
  isCounted(quotaUfsPath: string): boolean {
    return listWorkers(this.views.get(membershipView).state)
      .filter(({ status }) => status === 'online')
      .every(({ workerId }) => {
        const last = this.watch.lastHeartbeat(workerId);
        // A worker with quotas switched off never counts.
        return last && (last.quotaUsage === undefined || last.quotaUsage[quotaUfsPath] !== undefined);
      });
  }

  /** Whether a worker may keep a copy that it claims room for, and for which no job has reserved room. */
  async grant({ id, path, bytes }: GrantRequest): Promise<Grant> {
    this.undecided.add(id);
    let isKnown = false;
    try {
      isKnown = await this.refresh();
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
    } finally {
      // The decision happens from here on, in this turn of the event loop. The next request finds the claim counted.
      this.undecided.delete(id);
    }
    const quotas = this.quotasOf(path);
    if (!isKnown || !quotas.every(({ ufsPath }) => this.isCounted(ufsPath))) return { granted: false, unsure: true };
    const others = (ufsPath: string) => this.usedBytes(ufsPath) + this.underWay(ufsPath, undefined, id);
    const over = quotas.find(({ ufsPath, value }) => others(ufsPath) + bytes > value);
    return over ? { granted: false, reason: this.exceeded(over.ufsPath) } : { granted: true };
  }

  exceeded(quotaUfsPath: string): string {
    const { path, limit } = this.describe(quotaUfsPath);
    return `the quota of ${path} (${limit} bytes) would be exceeded`;
  }

  /**
   * Whether the estimate below this quota is exact as of the last `refresh`: no bytes are on their way, and every
   * worker was heard.
   */
  isExact(quotaUfsPath: string, except?: string): boolean {
    return this.isCounted(quotaUfsPath) && this.underWay(quotaUfsPath, except) === 0;
  }

  private async askAll(): Promise<boolean> {
    await this.views.caughtUp();
    return this.watch.hearAll();
  }

  private underWay(quotaUfsPath: string, exceptJob?: string, exceptClaim?: string): number {
    const reserved = reservedBytes(this.views.get(jobs), quotaUfsPath, exceptJob);
    return reserved + this.unreportedBytes(quotaUfsPath) + this.claimedBytes(quotaUfsPath, exceptClaim);
  }

  /** Claims of workers, minus the bytes that are reserved for their batches: those count as reserved already. */
  private claimedBytes(quotaUfsPath: string, except?: string): number {
    let sum = 0;
    for (const workerId of this.workers()) {
      for (const claim of this.watch.lastHeartbeat(workerId)?.quotaClaims ?? []) {
        if (claim.id === except || this.undecided.has(claim.id) || !claim.ufsPaths.includes(quotaUfsPath)) continue;
        const reserved = this.isReserved(claim) ? (claim.batch?.reserved[quotaUfsPath] ?? 0) : 0;
        sum += Math.max(0, claim.bytes - reserved);
      }
    }
    return sum;
  }

  private isReserved({ batch }: QuotaClaim): boolean {
    const record = batch && this.views.get(jobs).jobs.get(batch.jobId);
    const inFlight = record && Object.hasOwn(record.inFlight, batch.batchId) && record.inFlight[batch.batchId];
    return Boolean(inFlight && !inFlight.withdrawn);
  }

  private unreportedBytes(quotaUfsPath: string): number {
    let bytes = 0;
    for (const [workerId, batches] of this.unreported) {
      const included = this.watch.lastHeartbeat(workerId)?.reportedSequence ?? 0;
      const left = batches.filter(({ sequence }) => sequence > included);
      if (left.length === 0) this.unreported.delete(workerId);
      else this.unreported.set(workerId, left);
      for (const { quotaBytes } of left) bytes += quotaBytes[quotaUfsPath] ?? 0;
    }
    return bytes;
  }

  /** Online workers. The bytes of an offline worker still count, by its last heartbeat. */
  private workers(): string[] {
    return listWorkers(this.views.get(membershipView).state)
      .filter(({ workerId, status }) => status === 'online' || this.watch.lastHeartbeat(workerId) !== undefined)
      .map(({ workerId }) => workerId);
  }

  private follow(commit: Commit): void {
    for (const event of [...jobBoundary.eventsIn(commit), ...batchBoundary.eventsIn(commit)]) {
      if (event.type === 'BatchesPlanned') for (const batch of event.data.batches) this.note(batch);
      if (event.type === 'BatchesDispatched' || event.type === 'ForgottenBatchesDispatched') {
        for (const { into } of event.data.batches) for (const batch of into) this.note(batch);
      }
      if (event.type === 'BatchSettled') this.settled(event.data.workerId, event.data.batchId, commit.sequence);
    }
  }

  private note(batch: { id: string; quotaBytes?: Record<string, number> }): void {
    if (!batch.quotaBytes) return;
    this.planned.set(batch.id, batch.quotaBytes);
    const early = this.early.get(batch.id);
    if (early) this.settled(early.workerId, batch.id, early.sequence);
  }

  private settled(workerId: string, batchId: string, sequence: number): void {
    const quotaBytes = this.planned.get(batchId);
    this.early.delete(batchId);
    if (!quotaBytes) {
      this.early.set(batchId, { workerId, sequence });
      if (this.early.size > maxEarly) this.early.delete(this.early.keys().next().value!);
      return;
    }
    this.planned.delete(batchId);
    const batches = this.unreported.get(workerId) ?? [];
    this.unreported.set(workerId, [...batches, { sequence, quotaBytes }]);
  }

  private currentPolicies(): UfsPolicies {
    return ufsPolicies(this.views.get(namespaceView).state);
  }
}
