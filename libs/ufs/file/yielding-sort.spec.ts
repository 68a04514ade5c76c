import * as fc from 'fast-check';
import { sortYielding } from './yielding-sort.js';

describe('sortYielding', () => {
  test('gives the result of a plain sort, at every run length', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.string()), fc.integer({ min: 1, max: 20 }), async (items, runLength) => {
        expect(await sortYielding([...items], () => undefined, runLength)).toEqual([...items].sort());
      }),
    );
  });

  test('yields to the event loop, and can be aborted there', async () => {
    const items = Array.from({ length: 100 }, (_, index) => String(100 - index));
    let turns = 0;
    await sortYielding(items, () => turns++, 10);
    expect(turns).toBeGreaterThanOrEqual(10 + 30);
    const ended = sortYielding(items, () => { throw new Error('ended'); }, 10); // prettier-ignore
    await expect(ended).rejects.toThrow('ended');
  });
});
