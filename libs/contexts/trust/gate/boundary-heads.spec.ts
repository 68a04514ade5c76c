import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { chainStart } from '#jetstream';
import { BoundaryHeads } from './boundary-heads.js';

const digestOf = (text: string) => createHash('sha256').update(text).digest('hex');
const throughJson = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T;
const boundaries = ['namespace', 'membership', 'job.a', 'batch.a.worker-1'];

it('a commit follows the last message of its boundary and no other, snapshots included', () => {
  const name = fc.constantFrom(...boundaries);
  const step = fc.oneof(fc.tuple(name, fc.nat(50)), fc.constant('snapshot' as const));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const plain = new Map<string, string>();
      let heads = new BoundaryHeads();
      for (const one of steps) {
        if (one === 'snapshot') {
          heads = new BoundaryHeads(throughJson(heads.toSnapshot()));
          continue;
        }
        const [boundary, digest] = [one[0], digestOf(`${one[1]}`)];
        heads.set(boundary, digest);
        plain.set(boundary, digest);
      }
      for (const boundary of boundaries) {
        const last = plain.get(boundary);
        for (const prev of [chainStart, ...plain.values(), digestOf('other')]) {
          const follows = last === undefined || prev === last;
          expect({ boundary, prev, follows: heads.follows(boundary, prev) }).toEqual({ boundary, prev, follows });
        }
      }
    }),
  );
});

it('a boundary that has messages does not begin again', () => {
  const heads = new BoundaryHeads();
  expect(heads.follows('namespace', chainStart)).toBe(true);
  heads.set('namespace', digestOf('a'));
  expect(heads.follows('namespace', chainStart)).toBe(false);
});

it('the boundaries written last are remembered, and a commit on a forgotten one is accepted', () => {
  const heads = new BoundaryHeads();
  for (let i = 0; i < 10_000; i++) heads.set(`job.${i}`, digestOf(`${i}`));
  // A boundary that is written again is one of the newest.
  heads.set('job.0', digestOf('again'));
  heads.set('job.10000', digestOf('10000'));
  const restored = new BoundaryHeads(throughJson(heads.toSnapshot()));
  for (const each of [heads, restored]) {
    expect(each.follows('job.0', digestOf('0'))).toBe(false);
    expect(each.follows('job.0', digestOf('again'))).toBe(true);
    expect(each.follows('job.1', digestOf('anything'))).toBe(true);
    expect(each.follows('job.2', digestOf('anything'))).toBe(false);
    expect(each.toSnapshot()).toHaveLength(10_000);
  }
  // The order is part of the snapshot: both drop the same boundary next.
  restored.set('job.10001', digestOf('10001'));
  expect(restored.follows('job.2', digestOf('anything'))).toBe(true);
  expect(restored.follows('job.3', digestOf('anything'))).toBe(false);
});
