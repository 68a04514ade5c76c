import { AheadLimits } from './ahead-limits.js';

const bounds = { pages: 4, requests: 8, names: 100, bytes: 1000 };
const none = { names: 0, bytes: 0 };

describe('what a mount reads ahead', () => {
  let nowMs: number;
  let limits: AheadLimits;
  beforeEach(() => {
    nowMs = 0;
    limits = new AheadLimits(bounds, () => nowMs);
  });

  /** How many requests may be under way. */
  function allowed(): number {
    let begun = 0;
    for (; limits.allows(none); begun++) limits.began();
    for (let i = 0; i < begun; i++) limits.ended();
    return begun;
  }

  test('is bounded in requests, names and bytes', () => {
    expect(allowed()).toBe(8);
    limits.hold({ names: 90, bytes: 900 }, none);
    expect(limits.allows({ names: 10, bytes: 100 })).toBe(true);
    expect(limits.allows({ names: 11, bytes: 0 })).toBe(false);
    expect(limits.allows({ names: 0, bytes: 101 })).toBe(false);
    limits.hold(none, { names: 90, bytes: 900 });
    expect(limits.held).toEqual(none);
  });

  test('is halved by a refusal, and grows with answers', () => {
    limits.refused();
    expect(allowed()).toBe(4);
    for (let i = 0; i < 10; i++) limits.refused();
    expect(allowed()).toBe(1);
    for (let i = 0; i < 100; i++) limits.answered();
    expect(allowed()).toBe(8);
  });

  test('pauses for as long as the store asks for', () => {
    limits.refused(500);
    expect(allowed()).toBe(0);
    nowMs = 500;
    expect(allowed()).toBe(4);
  });
});
