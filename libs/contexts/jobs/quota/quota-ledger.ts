import { Inject, Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { listWorkers, membershipView } from '#contexts/membership';
import { WorkerWatch } from '#contexts/membership/http';
import { namespaceView, quotasOf, ufsPolicies, type UfsPolicies, type UfsPolicy } from '#contexts/namespace';
import { type Commit } from '#kernel';
import { CONFIG, Views, type LarderConfig } from '#runtime';
import { jobs, reservedBytes, type BatchEvent, type JobEvent } from '../index.js';

/** A settled batch whose bytes its worker's heartbeat may not include yet. */
interface Unreported {
  sequence: number;
  quotaBytes: Record<string, number>;
}

/** A granted object has been fetched and stood in a heartbeat after so long, if it comes at the slowest pace. */
const grantMs = 5_000;
const slowestBytesPerMs = 1_000;

/**
 * How full quotas are. Workers count the bytes they hold and say so in their heartbeats, about once a second; between
 * a report in the log and the heartbeat that includes it, the bytes of the report are counted here. The estimate is
 * therefore never below the truth, and equals it once nothing is in flight and every worker has been heard.
 */
@Injectable()
export class QuotaLedger implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly planned = new Map<string, Record<string, number>>();
  private readonly unreported = new Map<string, Unreported[]>();
  private readonly grants = new Set<{ ufsPaths: string[]; bytes: number; untilMs: number }>();
  private policies?: { sequence: number; value: UfsPolicies };
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

  /** The quotas that apply to a UFS path; none while quotas are switched off. */
  quotasOf(ufsPath: string): UfsPolicy<number>[] {
    return this.config.quota ? quotasOf(this.currentPolicies(), ufsPath) : [];
  }

  /** Whether any quota applies to something at or below one of these UFS paths. */
  concerns(ufsPath: string): boolean {
    const bare = ufsPath.replace(/\/$/, '');
    return (
      this.config.quota &&
      this.currentPolicies().quotas.some(
        (quota) =>
          quota.ufsPath === bare || quota.ufsPath.startsWith(`${bare}/`) || bare.startsWith(`${quota.ufsPath}/`),
      )
    );
  }

  /** The UFS paths of a quota of the namespace: one, or one for each mount below it. */
  ufsPathsOf(path: string): string[] {
    return this.currentPolicies()
      .quotas.filter((quota) => quota.path === path)
      .map(({ ufsPath }) => ufsPath);
  }

  /** The tightest of the quotas that apply to all of these UFS paths; undefined where none does. */
  tightest(ufsPaths: readonly string[]): { limit: number; remaining: number } | undefined {
    return this.common(ufsPaths)
      .map(({ ufsPath, value }) => ({ limit: value, remaining: Math.max(0, value - this.estimate(ufsPath)) }))
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

  /** The quota's path in the namespace and its bytes; no limit where it has been removed meanwhile. */
  describe(quotaUfsPath: string): { path: string; limit: number } {
    const quota = this.currentPolicies().quotas.find(({ ufsPath }) => ufsPath === quotaUfsPath);
    return quota ? { path: quota.path, limit: quota.value } : { path: quotaUfsPath, limit: Infinity };
  }

  /** @param counts which workers to count; by default all that were heard */
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

  /** Quotas below which online workers hold more than they allow; none while quotas are switched off. */
  exceeded(): UfsPolicy<number>[] {
    if (!this.config.quota) return [];
    const online = this.online();
    return this.currentPolicies().quotas.filter(
      ({ ufsPath, value }) => this.usedBytes(ufsPath, (workerId) => online.includes(workerId)) > value,
    );
  }

  reservedBytes(quotaUfsPath: string): number {
    return reservedBytes(this.views.get(jobs), quotaUfsPath);
  }

  /** Used, reported but not yet in a heartbeat, reserved and granted: never less than the truth. */
  estimate(quotaUfsPath: string): number {
    return (
      this.usedBytes(quotaUfsPath) +
      this.unreportedBytes(quotaUfsPath) +
      this.reservedBytes(quotaUfsPath) +
      this.grantedBytes(quotaUfsPath)
    );
  }

  /** Sets bytes aside for an object that a reader brings in, if every quota above it leaves room. */
  grant(ufsPath: string, bytes: number): boolean {
    const quotas = this.quotasOf(ufsPath);
    if (quotas.some((quota) => this.estimate(quota.ufsPath) + bytes > quota.value)) return false;
    const untilMs = performance.now() + grantMs + bytes / slowestBytesPerMs;
    this.grants.add({ ufsPaths: quotas.map((quota) => quota.ufsPath), bytes, untilMs });
    return true;
  }

  /** Whether the estimate below this quota is the truth: nothing on its way, everybody heard. */
  isExact(quotaUfsPath: string): boolean {
    const heard = this.workers().every(
      (workerId) => this.watch.lastHeartbeat(workerId)?.quotaUsage?.[quotaUfsPath] !== undefined,
    );
    const underWay =
      this.unreportedBytes(quotaUfsPath) + this.reservedBytes(quotaUfsPath) + this.grantedBytes(quotaUfsPath);
    return heard && underWay === 0;
  }

  /** A grant counts until its object must have arrived and stood in a heartbeat, or never will. */
  private grantedBytes(quotaUfsPath: string): number {
    const nowMs = performance.now();
    let sum = 0;
    for (const grant of this.grants) {
      if (grant.untilMs < nowMs) this.grants.delete(grant);
      else if (grant.ufsPaths.includes(quotaUfsPath)) sum += grant.bytes;
    }
    return sum;
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

  /** Online workers: what an offline one holds was counted while it was heard, and is counted from its last word. */
  private workers(): string[] {
    return listWorkers(this.views.get(membershipView).state)
      .filter(({ workerId, status }) => status === 'online' || this.watch.lastHeartbeat(workerId) !== undefined)
      .map(({ workerId }) => workerId);
  }

  private follow(commit: Commit): void {
    for (const event of commit.events as unknown as (JobEvent | BatchEvent)[]) {
      if (event.type === 'BatchesPlanned') for (const batch of event.data.batches) this.note(batch);
      if (event.type === 'BatchesDispatched' || event.type === 'ForgottenBatchesDispatched') {
        for (const { into } of event.data.batches) for (const batch of into) this.note(batch);
      }
      if (event.type === 'BatchSettled') this.settled(event.data.workerId, event.data.batchId, commit.sequence);
    }
  }

  private note(batch: { id: string; quotaBytes?: Record<string, number> }): void {
    if (batch.quotaBytes) this.planned.set(batch.id, batch.quotaBytes);
  }

  private settled(workerId: string, batchId: string, sequence: number): void {
    const quotaBytes = this.planned.get(batchId);
    if (!quotaBytes) return;
    this.planned.delete(batchId);
    const batches = this.unreported.get(workerId) ?? [];
    this.unreported.set(workerId, [...batches, { sequence, quotaBytes }]);
  }

  private currentPolicies(): UfsPolicies {
    const { sequence, state } = this.views.get(namespaceView);
    if (this.policies?.sequence !== sequence) this.policies = { sequence, value: ufsPolicies(state) };
    return this.policies.value;
  }
}
