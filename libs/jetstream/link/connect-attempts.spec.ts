import { GrowingPauses, isRefusal } from './connect-attempts.js';

describe('a failure that lasts', () => {
  it('is logged at once, then after pauses that double up to a minute; a new reason is logged at once', () => {
    let nowMs = 0;
    const told: [number, string][] = [];
    const pauses = new GrowingPauses(
      (reason) => told.push([nowMs, reason]),
      () => nowMs,
    );
    for (; nowMs < 300_000; nowMs += 250) pauses.failed(nowMs < 260_000 ? 'refused' : 'silent');
    const [first, second] = ['refused', 'silent'].map((text) => told.filter(([, r]) => r === text).map(([ms]) => ms));
    expect(first).toEqual([0, 1_000, 3_000, 7_000, 15_000, 31_000, 63_000, 123_000, 183_000, 243_000]);
    expect(second).toEqual([260_000]);
    pauses.over();
    pauses.failed('silent');
    expect(told.at(-1)).toEqual([300_000, 'silent']);
  });

  it('is not logged more often with two reasons in turn, as of two servers', () => {
    let nowMs = 0;
    const told: number[] = [];
    const pauses = new GrowingPauses(
      () => told.push(nowMs),
      () => nowMs,
    );
    for (; nowMs < 20_000; nowMs += 250) pauses.failed(nowMs % 500 === 0 ? 'one' : 'the other');
    expect(told).toEqual([0, 250, 1_250, 3_250, 7_250, 15_250]);
  });

  it('distinguishes a refusal from a slow server', () => {
    expect(isRefusal({ code: 'AUTHORIZATION_VIOLATION' })).toBe(true);
    expect(isRefusal(new Error("'Authorization Violation'"))).toBe(true);
    expect(isRefusal({ code: 'AUTHENTICATION_TIMEOUT', message: 'Authentication Timeout' })).toBe(false);
    expect(isRefusal({ code: 'CONNECTION_REFUSED' })).toBe(false);
  });
});
