import fc from 'fast-check';
import { type Commit } from '#kernel';
import { mayWrite, saysOnlyItsOwn, type Writer } from './index.js';

const coordinator: Writer = { role: 'coordinator' };
const workerId = 'worker-1';
const worker: Writer = { role: 'worker', workerId };

const boundaries = ['namespace', 'log', 'membership', 'checkpoint', 'quota', 'job.j', 'slot.load.abc', 'index'];
const token = fc.stringMatching(/^[a-z0-9-]{1,12}$/);

describe('the boundaries of writers', () => {
  it.each(boundaries)('%s is for coordinators, and for no worker', (boundary) => {
    expect([mayWrite(coordinator, boundary), mayWrite(worker, boundary)]).toEqual([true, false]);
  });

  it.each(['batch.j.worker-1', 'batch.j.worker-2', 'batch', 'batch.j', 'batch.j.worker-1.more'])(
    '%s is for no coordinator',
    (boundary) => {
      expect(mayWrite(coordinator, boundary)).toBe(false);
    },
  );

  it('a worker may write on its own batch boundary of any job, and nowhere else', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(token, fc.constantFrom('batch', workerId)), { maxLength: 5 }), (tokens) => {
        const [scope, jobId, writer] = tokens;
        const isOwn = tokens.length === 3 && scope === 'batch' && jobId !== undefined && writer === workerId;
        expect(mayWrite(worker, tokens.join('.'))).toBe(isOwn);
      }),
    );
  });

  it('no boundary is for both coordinators and workers', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(token, fc.constantFrom('batch', workerId)), { maxLength: 5 }), (tokens) => {
        const boundary = tokens.join('.');
        expect(mayWrite(coordinator, boundary) && mayWrite(worker, boundary)).toBe(false);
      }),
    );
  });
});

describe('the events of a worker', () => {
  const settled = { jobId: 'j', batchId: 'b', workerId, epoch: 1, attempt: 1, counts: {}, failures: [] };
  const recorded = { id: 'e', v: 1, at: '2026-01-02T03:04:05.000Z', actor: 'a', requestId: 'r' };
  const commit = (...events: { type: string; data: unknown }[]): Commit => ({
    sequence: 1,
    boundary: `batch.j.${workerId}`,
    events: events.map((event) => ({ ...recorded, ...event })),
  });
  const own = { type: 'BatchSettled', data: settled };

  it.each([
    ['the outcome of a batch of its own', true, [own]],
    ['of several', true, [own, { type: 'BatchSettled', data: { ...settled, batchId: 'c' } }]],
    ['of another worker’s', false, [{ type: 'BatchSettled', data: { ...settled, workerId: 'worker-2' } }]],
    ['of another job’s', false, [{ type: 'BatchSettled', data: { ...settled, jobId: 'k' } }]],
    ['another worker’s beside its own', false, [own, { type: 'BatchSettled', data: { ...settled, workerId: 'x' } }]],
    ['any other event', false, [{ type: 'JobFinished', data: settled }]],
    ['any other event beside its own', false, [own, { type: 'Mounted', data: settled }]],
    ['a malformed outcome', false, [{ type: 'BatchSettled', data: { jobId: 'j', workerId } }]],
  ])('%s: %s', (_, may, events) => {
    expect(saysOnlyItsOwn(worker, commit(...events))).toBe(may);
  });

  it('the events of coordinators are not checked: only their boundary counts', () => {
    expect(saysOnlyItsOwn(coordinator, commit({ type: 'Mounted', data: {} }))).toBe(true);
  });
});
