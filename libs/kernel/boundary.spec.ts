import { defineBoundaries, defineBoundary, type EventOf, idsOf, scopeOf } from './boundary.js';
import { type EventCatalogue } from './event-schema.js';
import { type Commit } from './event.js';

const schema = { parse: (data: unknown) => data as { workerId: string; counts: number } };
const settled = { Settled: { v: 1, description: 'A worker reports.', schema } } as const satisfies EventCatalogue;
const batches = defineBoundaries('batch', ['jobId', 'workerId'], settled);
const members = defineBoundary('members', settled);

const commit = (boundary: string): Commit => ({
  sequence: 1,
  boundary,
  events: [
    {
      ...{ id: 'e', type: 'Settled', v: 1, at: '2026-01-01T00:00:00.000Z', actor: 'a', requestId: 'r' },
      data: { workerId: 'w', counts: 2 },
    },
  ],
});

describe('a boundary', () => {
  it('names what it is given and finds it again', () => {
    expect(batches.of('job-1', 'worker-2')).toBe('batch.job-1.worker-2');
    expect(batches.idsIn('batch.job-1.worker-2')).toEqual({ jobId: 'job-1', workerId: 'worker-2' });
  });

  it.each(['batch', 'batch.job-1', 'batch.job-1.worker-2.more', 'members', 'batches.job-1.worker-2', ''])(
    'is not %p',
    (name) => {
      expect(batches.idsIn(name)).toBeUndefined();
      expect(batches.eventsIn(commit(name))).toEqual([]);
    },
  );

  it('gives its own events with their types, and no others', () => {
    const counts = batches.eventsIn(commit('batch.j.w')).map(({ type, data }) => {
      const known: EventOf<typeof settled>['type'] = type;
      return [known, data.counts];
    });
    expect(counts).toEqual([['Settled', 2]]);
    expect(members.eventsIn(commit('members')).map(({ data }) => data.counts)).toEqual([2]);
    expect(members.eventsIn(commit('members.x'))).toEqual([]);
  });
});

it('the scope of a boundary is what stands before the first dot', () => {
  expect(['batch.j.w', 'members', ''].map(scopeOf)).toEqual(['batch', 'members', '']);
});

it('the ids of a boundary are what stands behind it, each by itself', () => {
  expect(['batch.j.w', 'members', ''].map(idsOf)).toEqual([['j', 'w'], [], []]);
});
