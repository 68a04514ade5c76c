import fc from 'fast-check';
import { HashRing } from './index.js';

const members = Array.from({ length: 5 }, (_, i) => `worker-${i}`);

describe('hash ring', () => {
  it('gives the recorded owners: a change moves every cached object of every cluster', () => {
    const ring = new HashRing(members);
    expect(['s3://bucket/a', 's3://bucket/b', 'file:///data/é', ''].map((key) => ring.owners(key, 3)))
      .toMatchInlineSnapshot(`
     [
       [
         "worker-3",
         "worker-2",
         "worker-1",
       ],
       [
         "worker-1",
         "worker-0",
         "worker-4",
       ],
       [
         "worker-4",
         "worker-2",
         "worker-1",
       ],
       [
         "worker-2",
         "worker-0",
         "worker-4",
       ],
     ]
    `);
  });

  it('has no owners without members', () => {
    expect(new HashRing([]).owners('key')).toEqual([]);
    expect(new HashRing([]).owners('key', 2)).toEqual([]);
  });

  it('is the same for any order and repetition of members', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray(members, { minLength: 1 }), fc.string(), (some, key) => {
        expect(new HashRing([...some, ...some]).owners(key)).toEqual(new HashRing([...some].sort()).owners(key));
      }),
    );
  });

  it('gives distinct owners, the primary first, at most as many as there are members', () => {
    fc.assert(
      fc.property(fc.string(), fc.integer({ min: 1, max: 8 }), (key, count) => {
        const ring = new HashRing(members);
        const owners = ring.owners(key, count);
        expect(new Set(owners).size).toBe(Math.min(count, members.length));
        expect(owners[0]).toBe(ring.owners(key)[0]);
      }),
    );
  });

  it('moves only the keys of a member that leaves', () => {
    fc.assert(
      fc.property(fc.string(), fc.constantFrom(...members), (key, gone) => {
        const [before] = new HashRing(members).owners(key);
        const [after] = new HashRing(members.filter((member) => member !== gone)).owners(key);
        if (before !== gone) expect(after).toBe(before);
      }),
    );
  });

  it('spreads keys evenly: within 5 % of the mean over 100,000 keys', () => {
    const ring = new HashRing(members);
    const counts = new Map<string, number>();
    for (let i = 0; i < 100_000; i++) {
      const [owner] = ring.owners(`s3://bucket/dir/part-${String(i).padStart(6, '0')}.parquet`);
      counts.set(owner, (counts.get(owner) ?? 0) + 1);
    }
    for (const count of counts.values()) expect(Math.abs(count / 20_000 - 1)).toBeLessThan(0.05);
  });
});
