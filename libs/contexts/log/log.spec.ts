import { judgeMark, log, logView, type LogCommand, type LogEvent } from './index.js';
import { fold } from '#kernel';

const started: LogEvent = { type: 'LogStarted', data: { logId: 'a' } };
const restored: LogEvent = {
  type: 'LogRestored',
  data: { logId: 'b', parentId: 'a', throughSequence: 70, root: 'r' },
};
const given = (...events: LogEvent[]) => fold(log, events);

describe('the identity of a log', () => {
  it('is made once', () => {
    expect(log.decide(given(), { type: 'StartLog', logId: 'a' })).toEqual([started]);
    expect(log.decide(given(started), { type: 'StartLog', logId: 'other' })).toEqual([]);
  });

  it('changes when a backup is restored, and names its parent', () => {
    const command: LogCommand = { type: 'RecordRestore', logId: 'b', throughSequence: 70, root: 'r' };
    expect(log.decide(given(started), command)).toEqual([restored]);
    expect(log.decide(given(started, restored), command)).toEqual([]);
    expect(() => log.decide(given(), command)).toThrow('no identity');
  });
});

describe('a mark', () => {
  const state = given(started, restored);

  it.each([
    ['agrees', { logId: 'b', sequence: 100 }],
    ['agrees', { logId: 'b', sequence: 3 }],
    ['behind', { logId: 'b', sequence: 101 }],
    ['foreign', { logId: 'c', sequence: 1 }],
    // What was given up when the backup was restored is known to be gone.
    ['agrees', { logId: 'a', sequence: 90 }],
  ] as const)('%s: %j', (verdict, mark) => {
    expect(judgeMark(state, 100, mark)).toBe(verdict);
  });

  it('is foreign to a log without an identity', () => {
    expect(judgeMark(given(), 0, { logId: 'a', sequence: 1 })).toBe('foreign');
  });
});

it('the view follows both boundaries, through a snapshot', () => {
  const context = { id: 'e', v: 1, at: '2026-01-02T03:04:05.000Z', actor: 'test', requestId: 'r' };
  const view = logView.initial();
  logView.evolve(view, { sequence: 1, boundary: 'log', events: [{ ...context, ...started }] });
  const data = { fromSequence: 1, throughSequence: 4, root: 'x', digests: '', keyId: 'k', mac: 'm' };
  logView.evolve(view, {
    sequence: 5,
    boundary: 'checkpoint',
    events: [{ ...context, type: 'LogCheckpointed', data }],
  });
  logView.evolve(view, { sequence: 6, boundary: 'namespace', events: [] });
  const expected = {
    sequence: 1,
    state: { logId: 'a', ancestors: [] },
    checkpoint: { sequence: 5, throughSequence: 4, root: 'x' },
    newestSequence: 6,
  };
  expect(view).toEqual(expected);
  expect(logView.fromSnapshot(JSON.parse(JSON.stringify(logView.toSnapshot(view))))).toEqual(expected);
});
