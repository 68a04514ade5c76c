import { membershipBoundary, membershipView, type QuotaClaim, type WorkerHeartbeat } from '#contexts/membership';
import { type WorkerWatch } from '#contexts/membership/http';
import { namespaceBoundary, namespaceView } from '#contexts/namespace';
import { type Commit, type DomainEvent, type View } from '#kernel';
import { type LarderConfig, type Views } from '#runtime';
import { batchBoundary, batchId, jobBoundary, jobsView, quotaBoundary, slotBoundary } from '../index.js';
import { QuotaLedger } from './quota-ledger.js';

const quota = 's3://bkt/dir';
const path = `${quota}/file`;
const jobId = 'j1';
const first = batchId('main', 0, 'a');

/** A log that the views of this coordinator follow, and workers that tell their figures when they are asked. */
class Cluster {
  readonly ledger: QuotaLedger;
  /** Figures in the last heartbeat of each worker. */
  readonly heard = new Map<string, Partial<WorkerHeartbeat>>();
  /** Figures that a worker answers now; undefined: it does not answer. */
  readonly truth = new Map<string, Partial<WorkerHeartbeat> | undefined>();
  private sequence = 0;
  private readonly views = [jobsView(10), membershipView, namespaceView] as View<unknown>[];
  private readonly states = new Map(this.views.map((view) => [view.name, view.initial()]));
  private readonly listeners: ((commit: Commit) => void)[] = [];

  constructor() {
    const views = {
      get: ({ name }: { name: string }) => this.states.get(name),
      onCommit: (listener: (commit: Commit) => void) => (this.listeners.push(listener), () => undefined),
      caughtUp: () => Promise.resolve(),
    };
    const watch = {
      lastHeartbeat: (workerId: string) => this.heard.get(workerId),
      hearAll: () => {
        for (const [workerId, truth] of this.truth) if (truth) this.heard.set(workerId, truth);
        return Promise.resolve([...this.truth.values()].every((truth) => truth !== undefined));
      },
    };
    const config = { quota: true } as LarderConfig;
    this.ledger = new QuotaLedger(views as unknown as Views, watch as unknown as WorkerWatch, config);
    this.ledger.onApplicationBootstrap();
    this.append(namespaceBoundary.name, 'Mounted', { path: '/data/', ufs: 's3://bkt/', options: {} });
    this.append(namespaceBoundary.name, 'QuotaSet', { path: '/data/dir', quotaBytes: 100 });
    for (const workerId of ['w1', 'w2']) {
      const announcement = { workerId, address: workerId, bootId: workerId, capacityBytes: 1, version: '0' };
      this.append(membershipBoundary.name, 'WorkerJoined', announcement);
      this.says(workerId, 0);
      this.heard.set(workerId, this.truth.get(workerId)!);
    }
  }

  append(boundary: string, type: string, data: Record<string, unknown>): number {
    const recorded = { id: 'e', v: 1, at: '2026-01-01T00:00:00.000Z', actor: 'a', requestId: 'r' };
    const event = { ...recorded, type, data } as DomainEvent;
    const commit = { sequence: ++this.sequence, boundary, events: [event] } as unknown as Commit;
    for (const view of this.views) view.evolve(this.states.get(view.name), commit);
    for (const listener of this.listeners) listener(commit);
    return this.sequence;
  }

  submit(): void {
    this.append(slotBoundary.of('load', 't'), 'JobSubmitted', {
      jobId,
      kind: 'load',
      target: 't',
      alias: 't',
      spec: {},
    });
    this.append(jobBoundary.of(jobId), 'JobAssumed', { owner: 'c1', epoch: 1 });
  }

  plan(batchId: string, bytes: number): void {
    const batch = {
      id: batchId,
      workerId: 'w1',
      copy: 0,
      files: 1,
      bytes,
      workSequence: 1,
      quotaBytes: { [quota]: bytes },
    };
    const counts = { scannedFiles: 1, filteredFiles: 0, seenEntries: 1, rejected: [] };
    const at = { epoch: 1, pass: 'main', step: 0, cursor: 'c', done: true };
    this.append(jobBoundary.of(jobId), 'BatchesPlanned', { ...at, ...counts, batches: [batch] });
  }

  settle(batchId: string): number {
    const data = { jobId, batchId, workerId: 'w1', epoch: 1, attempt: 1, counts: {}, failures: [] };
    return this.append(batchBoundary.of(jobId, 'w1'), 'BatchSettled', data);
  }

  /** Sets the figures of a worker, which the ledger learns when it asks. */
  says(workerId: string, usedBytes: number, claims: QuotaClaim[] = [], reportedSequence = 0): void {
    this.truth.set(workerId, { workerId, quotaUsage: { [quota]: usedBytes }, quotaClaims: claims, reportedSequence });
  }
}

const claim = (id: string, bytes: number, batch?: QuotaClaim['batch']): QuotaClaim => ({
  id,
  bytes,
  ufsPaths: [quota],
  ...(batch && { batch }),
});

describe('how full a quota is', () => {
  let cluster: Cluster;
  let ledger: QuotaLedger;
  beforeEach(() => ({ ledger } = cluster = new Cluster()));

  it('a batch that settles before it is planned counts until its worker’s figures include it', async () => {
    cluster.submit();
    const settledAt = cluster.settle(first);
    cluster.plan(first, 30);
    expect([ledger.estimate(quota), ledger.isExact(quota)]).toEqual([30, false]);
    cluster.says('w1', 30, [], settledAt);
    await ledger.refresh();
    expect([ledger.estimate(quota), ledger.isExact(quota)]).toEqual([30, true]);
  });

  it('bytes reserved for a batch and claimed for its files count once, and further claims in addition', async () => {
    cluster.submit();
    cluster.plan(first, 30);
    const batch = { jobId, batchId: first, reserved: { [quota]: 10 } };
    cluster.says('w1', 0, [claim('w1.1', 25, batch)]);
    await ledger.refresh();
    expect(ledger.estimate(quota)).toBe(30 + 15);
    // The job releases its reservation; the file on its way still comes.
    cluster.append(jobBoundary.of(jobId), 'JobStopped', {});
    expect(ledger.estimate(quota)).toBe(25);
  });

  it('the reservation of a job for a stretch does not count against itself', () => {
    cluster.submit();
    cluster.append(quotaBoundary.name, 'QuotaReserved', { jobId, pass: 'main', step: 0, bytes: { [quota]: 60 } });
    expect([ledger.estimate(quota), ledger.estimate(quota, jobId), ledger.estimate(quota, 'j2')]).toEqual([60, 0, 60]);
    expect([ledger.isExact(quota), ledger.isExact(quota, jobId)]).toEqual([false, true]);
  });
});

describe('grants', () => {
  let cluster: Cluster;
  let ledger: QuotaLedger;
  beforeEach(() => ({ ledger } = cluster = new Cluster()));

  it('are decided by the current bytes of workers, not by their last heartbeats', async () => {
    cluster.says('w1', 0, [claim('w1.1', 10)]);
    cluster.says('w2', 95);
    expect(ledger.estimate(quota)).toBe(0);
    const reason = 'the quota of /data/dir (100 bytes) would be exceeded';
    expect(await ledger.grant({ id: 'w1.1', path, bytes: 10 })).toEqual({ granted: false, reason });
    cluster.says('w2', 90);
    expect(await ledger.grant({ id: 'w1.1', path, bytes: 10 })).toEqual({ granted: true });
  });

  it('go to one of two workers that ask for the last room at once', async () => {
    cluster.says('w1', 0, [claim('w1.1', 60)]);
    cluster.says('w2', 0, [claim('w2.1', 60)]);
    const both = ['w1.1', 'w2.1'].map((id) => ledger.grant({ id, path, bytes: 60 }));
    expect((await Promise.all(both)).map(({ granted }) => granted)).toEqual([true, false]);
  });

  it('of another coordinator count as long as their worker claims them', async () => {
    cluster.says('w1', 0, [claim('w1.1', 60)]);
    cluster.says('w2', 0, [claim('w2.1', 60)]);
    expect(await ledger.grant({ id: 'w2.1', path, bytes: 60 })).toMatchObject({ granted: false });
    cluster.says('w1', 0);
    expect(await ledger.grant({ id: 'w2.1', path, bytes: 60 })).toEqual({ granted: true });
  });

  it('are unsure while a worker does not answer, or does not count below the quota yet', async () => {
    cluster.says('w1', 0, [claim('w1.1', 1)]);
    cluster.truth.set('w2', undefined);
    const unsure = { granted: false, unsure: true };
    expect(await ledger.grant({ id: 'w1.1', path, bytes: 1 })).toEqual(unsure);
    cluster.truth.set('w2', { workerId: 'w2', quotaUsage: {}, quotaClaims: [] });
    expect(await ledger.grant({ id: 'w1.1', path, bytes: 1 })).toEqual(unsure);
    cluster.says('w2', 0);
    expect(await ledger.grant({ id: 'w1.1', path, bytes: 1 })).toEqual({ granted: true });
  });
});
