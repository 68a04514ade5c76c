import { PastCache } from './past-cache.js';

it('the cache returns the last state at or before a sequence', () => {
  const cache = new PastCache();
  for (const sequence of [30, 10, 20]) cache.put(sequence, `"${sequence}"`);
  expect(cache.nearest(9)).toBeUndefined();
  expect(cache.nearest(10)).toEqual({ sequence: 10, json: '"10"' });
  expect(cache.nearest(29)?.sequence).toBe(20);
  expect(cache.nearest(1000)?.sequence).toBe(30);
});

it('the cache drops the least recently used state when there are too many', () => {
  const cache = new PastCache(2);
  cache.put(1, 'a');
  cache.put(2, 'b');
  cache.nearest(1);
  cache.put(3, 'c');
  expect(cache.nearest(2)?.sequence).toBe(1);
  expect(cache.nearest(3)?.sequence).toBe(3);
});

it('the cache drops states that take too much memory, and keeps none that is too large by itself', () => {
  const cache = new PastCache(10, 10);
  cache.put(1, 'aaaa');
  cache.put(2, 'bbbb');
  cache.put(2, 'bbbbb');
  expect(cache.nearest(1)?.sequence).toBe(1);
  cache.put(3, 'cccc');
  expect(cache.nearest(2)?.sequence).toBe(1);
  cache.put(4, 'd'.repeat(11));
  expect(cache.nearest(4)?.sequence).toBe(3);
});
