import fc from 'fast-check';
import { partOf } from './quota-shares.js';

/** The bytes that workers hold after each has evicted its part, in whole files of one size. */
function after(quotaBytes: number, held: readonly number[], fileBytes: number): number[] {
  let excess = held.reduce((sum, one) => sum + one, 0) - quotaBytes;
  return held.map((one, i) => {
    const rest = held.slice(i).reduce((sum, each) => sum + each, 0);
    const gone = Math.ceil(partOf(excess, one, rest) / fileBytes) * fileBytes;
    excess -= gone;
    return one - gone;
  });
}

describe('the parts that workers evict', () => {
  it('add up to the excess, and to less than one file more', () => {
    const files = fc.array(fc.nat({ max: 1000 }), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(
        files,
        fc.integer({ min: 1, max: 2 ** 40 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (counts, size, part) => {
          const held = counts.map((count) => count * size);
          const total = held.reduce((sum, one) => sum + one, 0);
          const quota = Math.floor(total * part);
          const left = after(quota, held, size).reduce((sum, one) => sum + one, 0);
          expect(left).toBeLessThanOrEqual(quota);
          expect(left).toBeGreaterThan(quota - size);
        },
      ),
    );
  });

  it('are everything for a quota of 0, and nothing for a quota that holds', () => {
    expect(after(0, [500, 0, 700], 100)).toEqual([0, 0, 0]);
    expect(after(1200, [500, 0, 700], 100)).toEqual([500, 0, 700]);
  });

  it('are the same share for each worker', () => {
    expect(after(600, [600, 600], 1)).toEqual([300, 300]);
  });
});
