import { describeObjection, judgeMark, log, logView, objectionTo, type LogCommand, type LogEvent } from './index.js';
import { fold } from '#kernel';

const started: LogEvent = { type: 'LogStarted', data: { logId: 'a' } };
const restored: LogEvent = {
  type: 'LogRestored',
  data: { logId: 'b', parentId: 'a', throughSequence: 70, root: 'r' },
};
const given = (...events: LogEvent[]) => fold(log, events);

describe('the identity of a log', () => {
  it('is written once', () => {
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

describe('a loss that is given up', () => {
  const lost = { logId: 'a', sequence: 90 };
  const command: LogCommand = { type: 'AcceptLoss', logId: 'b', lost, throughSequence: 70, root: 'r' };
  const data = { logId: 'b', parentId: 'a', seenSequence: 90, throughSequence: 70, root: 'r' };
  const accepted: LogEvent = { type: 'LogLossAccepted', data };

  it('changes the log’s identity, once, and names the lost part', () => {
    expect(log.decide(given(started), command)).toEqual([accepted]);
    expect(log.decide(given(started, accepted), command)).toEqual([]);
    expect(log.decide(given(started, accepted), { ...command, logId: 'again' })).toEqual([]);
  });

  it('makes all marks of the lost log agree, and not those of a later loss', () => {
    const state = given(started, accepted);
    expect(judgeMark(state, 71, { logId: 'a', sequence: 95 })).toBe('agrees');
    expect(judgeMark(state, 71, { logId: 'b', sequence: 72 })).toBe('behind');
  });

  it('may be of a whole log, with or without an empty one in its place', () => {
    const empty = given({ type: 'LogLossAccepted', data: { ...data, throughSequence: 0 } });
    expect(empty).toEqual({ logId: 'b', ancestors: [{ logId: 'a', throughSequence: 0 }] });
    const replaced = given({ type: 'LogStarted', data: { logId: 'empty' } }, accepted);
    for (const logId of ['a', 'empty', 'b']) expect(judgeMark(replaced, 71, { logId, sequence: 9 })).toBe('agrees');
    expect(judgeMark(replaced, 71, { logId: 'c', sequence: 9 })).toBe('foreign');
  });
});

describe('the objection to a log', () => {
  const end = { state: given(started), lastSequence: 100 };
  const witness = (who: string, sequence: number, logId = 'a') => ({ who, mark: { logId, sequence } });

  it('is none when no mark is beyond its end', () => {
    expect(objectionTo(end, [])).toBeUndefined();
    expect(objectionTo(end, [witness('w1', 100), witness('w2', 3)])).toBeUndefined();
  });

  it('is that of the highest mark', () => {
    const objection = objectionTo(end, [witness('w1', 101), witness('w2', 120), witness('w3', 110, 'x')])!;
    expect(objection).toMatchObject({ verdict: 'behind', witness: { who: 'w2' } });
    expect(describeObjection(end, objection)).toBe('the log a ends at sequence 100, but w2 has seen it up to 120');
  });

  it.each([
    [{ state: given(started), lastSequence: 100 }, 'NATS holds the log a, which ends at sequence 100'],
    [{ state: given(), lastSequence: 0 }, 'NATS holds an empty log'],
    [{ state: given(), lastSequence: 4 }, 'NATS holds a log without an identity that ends at sequence 4'],
  ])('may be that it is another log: %j', (found, sentence) => {
    const objection = objectionTo(found, [witness('w1', 7, 'x')])!;
    expect(objection.verdict).toBe('foreign');
    expect(describeObjection(found, objection)).toBe(
      `${sentence}, but w1 belongs to the log x and has seen it up to 7`,
    );
  });
});

describe('a mark', () => {
  const state = given(started, restored);

  it.each([
    ['agrees', { logId: 'b', sequence: 100 }],
    ['agrees', { logId: 'b', sequence: 3 }],
    ['behind', { logId: 'b', sequence: 101 }],
    ['foreign', { logId: 'c', sequence: 1 }],
    // The restore of the backup gave this part of the log up on purpose.
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
