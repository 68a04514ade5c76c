import { LiveSet, StallWatch } from './live-set.js';

let nowMs: number;
let set: LiveSet;

beforeEach(() => {
  nowMs = 0;
  set = new LiveSet(1000, () => nowMs);
});

it('a member is live until it has been silent for the timeout', () => {
  set.hear('a');
  nowMs = 1000;
  expect(set.live()).toEqual(['a']);
  nowMs = 1001;
  expect(set.live()).toEqual([]);
  expect(set.silenceMs('a')).toBe(1001);
});

it('a member that was never heard is unknown', () => {
  expect(set.isLive('a')).toBe(false);
  expect(set.silenceMs('a')).toBeUndefined();
});

it('fault 5: a process that hears nothing judges no member, and gives that time back afterwards', () => {
  set.hear('a');
  nowMs = 500;
  set.suspend();
  nowMs = 60_000;
  expect(set.isLive('a')).toBe(true);
  set.resume();
  nowMs = 60_500;
  expect(set.isLive('a')).toBe(true);
  nowMs = 60_501;
  expect(set.isLive('a')).toBe(false);
});

it('a member that leaves is forgotten', () => {
  set.hear('a');
  set.forget('a');
  expect(set.isLive('a')).toBe(false);
});

it('a process that stood still notices it, and does not count that time against others', () => {
  const watch = new StallWatch(100, () => nowMs);
  set.hear('a');
  expect(watch.look()).toBe(0);
  nowMs = 300;
  expect(watch.look()).toBe(0);
  nowMs = 5300;
  expect(watch.stalledMs()).toBe(5000);
  set.forgive(watch.look());
  expect(set.silenceMs('a')).toBe(300);
  expect(watch.stalledMs()).toBe(0);
});
