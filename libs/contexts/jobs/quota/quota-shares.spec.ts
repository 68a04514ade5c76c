import fc from 'fast-check';
import { sharesOf } from './quota-shares.js';

const bytes = fc.nat({ max: 2 ** 48 });

describe('the shares of a quota', () => {
  it('come to no more than the quota, and to less than what is held only where that is more', () => {
    fc.assert(
      fc.property(bytes, fc.array(bytes, { maxLength: 20 }), (quota, held) => {
        const shares = sharesOf(quota, held);
        const total = held.reduce((sum, one) => sum + one, 0);
        const left = shares.reduce((sum, one) => sum + one, 0);
        expect(left).toBeLessThanOrEqual(Math.min(quota, total));
        expect(left).toBeGreaterThanOrEqual(Math.min(quota, total) - held.length);
        shares.forEach((share, i) => expect(share).toBeLessThanOrEqual(held[i]));
      }),
    );
  });

  it('are nothing of a quota of nothing', () => {
    expect(sharesOf(0, [5, 0, 7])).toEqual([0, 0, 0]);
  });
});
