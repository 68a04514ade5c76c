import fc from 'fast-check';
import {
  batchBoundary,
  batchId,
  jobBoundary,
  jobsView,
  quotaBoundary,
  slotBoundary,
  type JobRecord,
  type JobsViewState,
} from '#contexts/jobs';
import { ProgressCache } from '#contexts/jobs/http';
import type { LiveProgress } from '#contexts/jobs/kinds';
import type { Commit, DomainEvent } from '#kernel';
import { jsonOf } from '#runtime';
import { jobKinds } from './index.js';

const paths = { roots: ['file:///d/'], paths: ['/d "quoted"'], index: '', indexPath: '' };
const specs: Record<string, Record<string, unknown>> = {
  load: {
    ...paths,
    options: {
      ...{ batchSize: 10, fileFilterRegex: '"timeElapsedMilliseconds":7', replicas: 1, skipIfExists: false },
      ...{ loadMetadataOnly: false, verify: true, bandwidth: 0 },
    },
  },
  free: { ...paths, options: { batchSize: 10, recursive: true } },
  rebalance: {
    ...{ target: 'ALL', workers: ['w1', 'w2'] },
    options: { loadBatchSize: 1, loadBandwidth: 0, pruneBandwidth: 0, skipPrune: false },
  },
};
const counts = ['loadedFiles', 'loadedBytes', 'failedFiles', 'freedFiles', 'filesLoaded', 'passesDone'];
const startMs = Date.parse('2026-01-01T00:00:00.000Z');

/** A jobs view with a cache that follows it. */
class Lab {
  sequence = 0;
  readonly view = jobsView(2);
  readonly state: JobsViewState = this.view.initial();
  readonly cache = new ProgressCache();

  append(boundary: string, event: DomainEvent): void {
    const at = new Date(startMs + this.sequence * 1000).toISOString();
    const recorded = { ...event, id: `e${this.sequence}`, v: 1, at, actor: 'a', requestId: 'r' };
    const commit: Commit = { sequence: ++this.sequence, boundary, events: [recorded] };
    this.view.evolve(this.state, commit);
    this.cache.follow(this.state, commit);
  }

  submit(kind: string, jobId: string): void {
    const data = { jobId, kind, target: jobId, alias: jobId, spec: specs[kind] };
    this.append(slotBoundary.of(kind, jobId), { type: 'JobSubmitted', data });
  }

  check(record: JobRecord, nowMs: number, live: LiveProgress): void {
    const kind = jobKinds.of(record.kind);
    const fresh = kind.progress(record, nowMs, live);
    const kept = this.cache.progressOf(kind, record, nowMs, live);
    expect(kept).toEqual(fresh);
    expect(Buffer.from(jsonOf(kept)).toString()).toBe(JSON.stringify(fresh));
  }
}

/** What may happen to a job, by name; the number says to which part of it. */
const happenings: Record<string, (lab: Lab, record: JobRecord, n: number) => void> = {
  assume: (lab, { jobId }, n) =>
    lab.append(jobBoundary.of(jobId), { type: 'JobAssumed', data: { owner: `o${n}`, epoch: n } }),
  plan: (lab, { jobId, state }, n) => {
    const id = batchId(state.pass, state.steps, 'a');
    const batch = { id, workerId: 'w1', copy: n % 2, files: n, bytes: 10 * n, workSequence: 1 };
    const figures = { scannedFiles: n, filteredFiles: 0, seenEntries: n, rejected: [] };
    const at = { epoch: 1, pass: state.pass, step: state.steps, cursor: 'c', done: n > 2 };
    lab.append(jobBoundary.of(jobId), { type: 'BatchesPlanned', data: { ...at, ...figures, batches: [batch] } });
  },
  settle: (lab, { jobId, state }, n) => {
    const failures = n % 2 ? [{ path: 'p', reason: '"no"', attempts: n }] : [];
    const batch = { jobId, batchId: batchId(state.pass, n, 'a'), workerId: 'w1', epoch: 1, attempt: 1 };
    const data = { ...batch, counts: { [counts[n % counts.length]]: n }, failures };
    lab.append(batchBoundary.of(jobId, 'w1'), { type: 'BatchSettled', data });
  },
  reserve: (lab, { jobId }) => lab.append(quotaBoundary.name, { type: 'QuotaReserved', data: { jobId, bytes: {} } }),
  retune: (lab, { jobId }, n) => lab.append(jobBoundary.of(jobId), { type: 'JobRetuned', data: { bandwidth: n } }),
  stop: (lab, { jobId }) => lab.append(jobBoundary.of(jobId), { type: 'JobStopped', data: {} }),
  resume: (lab, { jobId }) => lab.append(jobBoundary.of(jobId), { type: 'JobResumed', data: {} }),
  nextPass: (lab, { jobId, kind }) => {
    const pass = jobKinds.of(kind).passes.at(-1)!.name;
    lab.append(jobBoundary.of(jobId), { type: 'PassStarted', data: { epoch: 1, pass } });
  },
  finish: (lab, { jobId }, n) => {
    const outcome = { state: n % 2 ? 'FAILED' : 'SUCCEEDED', message: 'm' };
    lab.append(jobBoundary.of(jobId), { type: 'JobFinished', data: { epoch: 1, ...outcome, summary: {} } });
  },
  submitAgain: (lab, { jobId, kind }) => lab.submit(kind, jobId),
  nothing: () => undefined,
};

const action = fc.record({
  what: fc.constantFrom(...Object.keys(happenings)),
  job: fc.nat(),
  n: fc.nat(4),
  laterMs: fc.nat(5000),
  live: fc.record(
    {
      files: fc.nat(2),
      bytes: fc.nat(2),
      wait: fc.constantFrom<LiveProgress['wait'][]>(
        { for: 'store', since: '2026-01-01T00:00:00.000Z', reason: 'r' },
        { for: 'worker', since: '2026-01-01T00:00:00.000Z', reason: 'r' },
      ),
      quota: fc.record({ totalBytes: fc.nat(2), remaining: fc.nat(2) }),
    },
    { requiredKeys: ['files', 'bytes'] },
  ),
});

it('a kept progress equals a fresh one of every kind, whatever happens and however late it is', () => {
  const names = jobKinds.names;
  fc.assert(
    fc.property(fc.array(action, { maxLength: 30 }), (actions) => {
      const lab = new Lab();
      for (const kind of names) lab.submit(kind, `${kind}-1`);
      let nowMs = startMs;
      for (const { what, job, n, laterMs, live } of actions) {
        nowMs += laterMs;
        const records = [...lab.state.jobs.values()];
        if (records.length === 0) break;
        happenings[what](lab, records[job % records.length], n);
        for (const record of lab.state.jobs.values()) {
          lab.check(record, nowMs, live);
          lab.check(record, nowMs + 1, live);
        }
      }
    }),
  );
});
