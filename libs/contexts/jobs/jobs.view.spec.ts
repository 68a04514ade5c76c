import fc from 'fast-check';
import { type Commit, type DomainEvent, type RecordedEvent } from '#kernel';
import {
  batchBoundary,
  jobBoundary,
  slotBoundary,
  type BatchEvent,
  type JobEvent,
  type SlotEvent,
} from './job.events.js';
import { listJobs } from './job-queries.js';
import { batchId } from './batch-id.js';
import { jobsView, type JobRecord, type JobsViewState } from './jobs.view.js';

const jobId = 'j1';

class Log {
  sequence = 0;
  readonly view = jobsView(2);
  readonly state: JobsViewState = this.view.initial();

  append(boundary: string, event: SlotEvent | JobEvent | BatchEvent): void {
    this.view.evolve(this.state, commit(++this.sequence, boundary, event));
  }

  submit(id = jobId): void {
    const data = { jobId: id, kind: 'load', target: id, alias: id, spec: {} };
    this.append(slotBoundary.of('load', id), { type: 'JobSubmitted', data });
  }

  job(event: JobEvent, id = jobId): void {
    this.append(jobBoundary.of(id), event);
  }

  settle(id: string, counts: Record<string, number>, workerId = 'w1', attempt = 1): void {
    const data = { jobId, batchId: id, workerId, epoch: 1, attempt, counts, failures: [] };
    this.append(batchBoundary.of(jobId, workerId), { type: 'BatchSettled', data });
  }

  get record(): JobRecord {
    return this.state.jobs.get(jobId)!;
  }
}

function commit(sequence: number, boundary: string, event: DomainEvent): Commit {
  const recorded: RecordedEvent = {
    ...event,
    id: `e${sequence}`,
    v: 1,
    at: '2026-01-01T00:00:00.000Z',
    actor: 'a',
    requestId: 'r',
  };
  return { sequence, boundary, events: [recorded] };
}

function plan(
  step: number,
  ids: string[],
  extra: Partial<Extract<JobEvent, { type: 'BatchesPlanned' }>['data']> = {},
): JobEvent {
  const batches = ids.map((id) => ({ id, workerId: 'w1', copy: 0, files: 2, bytes: 20, workSequence: 1 }));
  return {
    type: 'BatchesPlanned',
    data: {
      epoch: 1,
      pass: 'main',
      step,
      cursor: `c${step}`,
      done: false,
      scannedFiles: ids.length * 2,
      filteredFiles: 0,
      seenEntries: ids.length * 2,
      rejected: [],
      batches,
      ...extra,
    },
  };
}

const [l0, l1] = [batchId('main', 0, 'a'), batchId('main', 1, 'a')];
const two = { loadedFiles: 2, loadedBytes: 20 };
const finish: JobEvent = { type: 'JobFinished', data: { epoch: 1, state: 'SUCCEEDED', message: '', summary: {} } };

describe('counts', () => {
  let log: Log;
  beforeEach(() => {
    log = new Log();
    log.submit();
  });

  it('entries that the source passed over are summed by kind, with the first few named, for the load pass only', () => {
    const log = new Log();
    log.submit();
    const links = (count: number, from = 0) => ({
      directoryLinks: { count, examples: Array.from({ length: Math.min(count, 5) }, (_, i) => `file:///l${from + i}`) },
    });
    log.job(plan(0, ['l0-a']));
    expect(log.record.specialFiles).toBeUndefined();
    log.job(plan(1, [], { specialFiles: links(3) }));
    log.job(plan(2, [], { specialFiles: { ...links(7, 3), fifos: { count: 1, examples: ['file:///p'] } } }));
    log.job(plan(0, [], { pass: 'verify', specialFiles: links(10) }));
    const { view } = log;
    const copy = view.fromSnapshot(JSON.parse(JSON.stringify(view.toSnapshot(log.state))));
    for (const state of [log.state, copy]) {
      expect(state.jobs.get(jobId)?.specialFiles).toEqual({
        directoryLinks: { count: 10, examples: ['file:///l0', 'file:///l1', 'file:///l2', 'file:///l3', 'file:///l4'] },
        fifos: { count: 1, examples: ['file:///p'] },
      });
    }
  });

  it('fault 13: a report delivered ten times counts once', () => {
    log.job(plan(0, [l0]));
    for (let i = 0; i < 10; i++) log.settle(l0, two, `w${i}`);
    expect(log.record.totals).toEqual(two);
    expect(log.record.inFlight).toEqual({});
    expect(log.record.early).toEqual({});
  });

  it('fault 14: nothing counts after the end', () => {
    log.job(plan(0, [l0], { done: true }));
    log.settle(l0, two);
    log.job(finish);
    log.settle(l0, two);
    log.settle(l1, two);
    expect(log.record.totals).toEqual(two);
  });

  it('fault 1: a report that comes before its plan counts when the plan arrives', () => {
    log.settle(l0, two);
    expect(log.record.totals).toEqual({});
    log.job(plan(0, [l0]));
    expect(log.record.totals).toEqual(two);
    expect(log.record.inFlight).toEqual({});
  });

  describe('of a batch that was replaced', () => {
    const into = ['x', 'y'].map((hash) => ({
      id: batchId('main', 0, hash),
      workerId: 'w2',
      copy: 0,
      files: 1,
      bytes: 10,
      workSequence: 2,
    }));
    const one = { loadedFiles: 1, loadedBytes: 10 };
    const dispatched: JobEvent = {
      type: 'BatchesDispatched',
      data: { epoch: 1, reason: 'worker-lost', batches: [{ id: l0, attempt: 2, into }] },
    };

    it('are those of its replacements', () => {
      log.job(plan(0, [l0]));
      log.job(dispatched);
      log.settle(l0, two);
      expect(log.record.totals).toEqual({});
      for (const { id } of into) log.settle(id, one, 'w2', 2);
      expect(log.record.totals).toEqual(two);
    });

    it('include the workers that were lost while they had the batch, also when it was sent again for other reasons', () => {
      log.job(plan(0, [l0]));
      log.job(dispatched);
      const again = (reason: 'resumed' | 'worker-lost', attempt: number): JobEvent => ({
        type: 'BatchesDispatched',
        data: { epoch: 1, reason, batches: [{ id: into[0].id, attempt, into: [into[0]] }] },
      });
      log.job(again('resumed', 3));
      log.job(again('worker-lost', 4));
      const at = (index: number) => log.record.inFlight[into[index].id];
      expect(at(0)).toMatchObject({ attempt: 4, losses: 2 });
      expect(at(1)).toMatchObject({ attempt: 2, losses: 1 });
    });

    it('also include a replacement’s report that comes before the event of its dispatch', () => {
      log.job(plan(0, [l0]));
      log.settle(into[0].id, one, 'w2', 2);
      expect(log.record.totals).toEqual({});
      log.job(dispatched);
      expect(log.record.totals).toEqual(one);
      log.settle(into[0].id, one, 'w2', 2);
      log.settle(into[1].id, one, 'w2', 2);
      expect(log.record.totals).toEqual(two);
      expect(log.record.inFlight).toEqual({});
      expect(log.record.early).toEqual({});
    });
  });

  it('fault 6: of a batch sent to another worker are those of the first report, from either worker', () => {
    for (const first of ['w1', 'w2']) {
      const late = first === 'w1' ? 'w2' : 'w1';
      const fresh = new Log();
      fresh.submit();
      fresh.job(plan(0, [l0]));
      const into = [{ id: l0, workerId: 'w2', copy: 0, files: 2, bytes: 20, workSequence: 2 }];
      const data = { epoch: 2, reason: 'worker-lost' as const, batches: [{ id: l0, attempt: 2, into }] };
      fresh.job({ type: 'BatchesDispatched', data });
      fresh.settle(l0, two, first);
      fresh.settle(l0, { loadedFiles: 1, failedFiles: 1 }, late);
      expect(fresh.record.totals).toEqual(two);
      expect(fresh.record.byWorker).toEqual({ [first]: two });
      expect(fresh.record.inFlight).toEqual({});
    }
  });

  it('fault 6: each file of batches moved again and again counts once, for any order of reports', () => {
    const workers = ['w1', 'w2', 'w3'];
    const moves = fc.array(
      fc.tuple(fc.constantFrom('move', 'move and be overtaken', 'report'), fc.nat(2), fc.nat(20)),
      { maxLength: 60 },
    );
    fc.assert(
      fc.property(moves, (actions) => {
        const random = new Log();
        random.submit();
        const ids = workers.map((worker) => batchId('main', 0, worker));
        random.job(plan(0, ids, { done: true }));
        // Every batch that was ever sent to a worker. Each may still be reported, by any of those workers.
        const sent = ids.map((id) => ({ id, files: 2, attempt: 1 }));
        for (const [action, worker, pick] of actions) {
          const { id, files, attempt: sentAs } = sent[pick % sent.length];
          const held = random.record.inFlight[id];
          if (action === 'report') {
            random.settle(id, { loadedFiles: files }, workers[worker], sentAs);
          } else if (held) {
            // To the worker that the ring names now: unchanged, or under another id when its content has changed.
            const next = pick % 2 === 0 ? id : batchId('main', 0, `${workers[worker]}-${sent.length}`);
            const into = [{ id: next, workerId: workers[worker], copy: 0, files, bytes: 10, workSequence: 9 }];
            const attempt = held.attempt + 1;
            // An owner sends first and records then, so a worker's report may come before the record.
            if (action === 'move and be overtaken')
              random.settle(next, { loadedFiles: files }, workers[worker], attempt);
            const batches = [{ id, attempt, into }];
            random.job(
              worker === 0
                ? { type: 'ForgottenBatchesDispatched', data: { epoch: 1, batches } }
                : { type: 'BatchesDispatched', data: { epoch: 1, reason: 'worker-lost', batches } },
            );
            sent.push({ id: next, files, attempt });
            if (action === 'move and be overtaken') expect(random.record.inFlight).not.toHaveProperty([next]);
          }
          const { totals, inFlight, byWorker } = random.record;
          const open = Object.values(inFlight).reduce((sum, batch) => sum + batch.files, 0);
          expect((totals.loadedFiles ?? 0) + open).toBe(6);
          const byAll = Object.values(byWorker).reduce((sum, counts) => sum + (counts.loadedFiles ?? 0), 0);
          expect(byAll).toBe(totals.loadedFiles ?? 0);
        }
      }),
    );
  });

  it('fault 14: only grow, and stay after the end, for any order of commits', () => {
    const actions = fc.array(fc.tuple(fc.constantFrom('plan', 'settle', 'end'), fc.nat(4)), { maxLength: 60 });
    fc.assert(
      fc.property(actions, (given) => {
        const random = new Log();
        random.submit();
        let loaded = 0;
        let atEnd: string | undefined;
        for (const [action, step] of given) {
          const id = batchId('main', step, 'a');
          if (action === 'settle') random.settle(id, two);
          else if (action === 'end' && random.record.state.status !== 'finished') random.job(finish);
          else if (action === 'plan' && atEnd === undefined && step === random.record.state.steps) {
            random.job(plan(step, [id]));
          }
          const { totals, plannedFiles, outcome, state } = random.record;
          expect(totals.loadedFiles ?? 0).toBeGreaterThanOrEqual(loaded);
          loaded = totals.loadedFiles ?? 0;
          const shown = JSON.stringify([totals, plannedFiles, outcome, random.record.endedAt]);
          if (state.status === 'finished') expect((atEnd ??= shown)).toBe(shown);
        }
      }),
    );
  });

  it('of a batch that was given up are those of that event', () => {
    log.job(plan(0, [l0]));
    log.job({ type: 'BatchParked', data: { epoch: 1, batchId: l0, counts: { failedFiles: 2 }, failures: [] } });
    log.settle(l0, two);
    expect(log.record.totals).toEqual({ failedFiles: 2 });
  });

  it('fault 14: always add up and only grow until the end, for any commits in any order and number', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 0, max: 4 })), { maxLength: 40 }), (actions) => {
        const random = new Log();
        random.submit();
        let before = 0;
        for (const [settle, step] of actions) {
          const id = batchId('main', step, 'a');
          if (settle) random.settle(id, two);
          else if (step === random.record.state.steps) random.job(plan(step, [id]));
          const { plannedFiles, totals, inFlight } = random.record;
          const inFlightFiles = Object.values(inFlight).reduce((sum, batch) => sum + batch.files, 0);
          expect(plannedFiles).toBe((totals.loadedFiles ?? 0) + inFlightFiles);
          expect(totals.loadedFiles ?? 0).toBeGreaterThanOrEqual(before);
          before = totals.loadedFiles ?? 0;
        }
        random.job(finish);
        for (let step = 0; step < 5; step++) random.settle(batchId('main', step, 'a'), two);
        expect(random.record.totals.loadedFiles ?? 0).toBe(before);
      }),
    );
  });
});

it('a stop withdraws what is in flight, and a report of it still counts', () => {
  const log = new Log();
  log.submit();
  log.job(plan(0, [l0, batchId('main', 0, 'b')]));
  log.job({ type: 'JobStopped', data: {} });
  expect(Object.values(log.record.inFlight).every((batch) => batch.withdrawn)).toBe(true);
  log.settle(l0, two);
  expect(log.record.totals).toEqual(two);
});

it('finished jobs leave in the order they finished; unfinished ones stay', () => {
  const log = new Log();
  for (const id of ['a', 'b', 'c', 'd']) log.submit(id);
  for (const id of ['c', 'a', 'b']) log.job(finish, id);
  expect(listJobs(log.state, 'load').map((record) => record.jobId)).toEqual(['a', 'b', 'd']);
});

it('jobs are listed in pages', () => {
  const log = new Log();
  for (const id of ['a', 'b', 'c']) log.submit(id);
  const page = (lastKey?: string) => listJobs(log.state, 'load', { count: 2, lastKey }).map((record) => record.jobId);
  expect(page()).toEqual(['a', 'b']);
  expect(page('b')).toEqual(['c']);
  expect(page('c')).toEqual([]);
  expect(() => page('zz')).toThrow(/lastKey/);
});

it('the view survives a snapshot at any point', () => {
  const log = new Log();
  log.submit();
  log.job(plan(0, [l0]));
  log.settle(l1, two);
  const restored = log.view.fromSnapshot(JSON.parse(JSON.stringify(log.view.toSnapshot(log.state))));
  expect(restored).toEqual(log.state);
});
