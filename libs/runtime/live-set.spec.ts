import { LiveSet, StallWatch } from './live-set.js';

let nowMs: number;
let set: LiveSet;

beforeEach(() => {
  nowMs = 0;
  set = new LiveSet(1000, () => nowMs);
});

it('takes someone for live until the timeout has passed in silence', () => {
  set.hear('a');
  nowMs = 1000;
  expect(set.live()).toEqual(['a']);
  nowMs = 1001;
  expect(set.live()).toEqual([]);
  expect(set.silenceMs('a')).toBe(1001);
});

it('knows nothing of who was never heard', () => {
  expect(set.isLive('a')).toBe(false);
  expect(set.silenceMs('a')).toBeUndefined();
});

it('fault 5: judges nobody while it is deaf itself, and gives the time back afterwards', () => {
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

it('forgets who takes leave', () => {
  set.hear('a');
  set.forget('a');
  expect(set.isLive('a')).toBe(false);
});

it('a process that stood still knows it, and holds nobody else to that time', () => {
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
