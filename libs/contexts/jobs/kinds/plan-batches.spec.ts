import fc from 'fast-check';
import { maxBatchFiles } from '../index.js';
import { HashRing } from '#hash-ring';
import type { SourceFile } from './coordinator-kind.js';
import { planBatches } from './plan-batches.js';

const ring = new HashRing(['w1', 'w2', 'w3']);
const plan = { batchSize: 3, placement: 'owners' as const, replicas: 1, options: {} };
const file = (path: string, sizeBytes = 1): SourceFile => ({ path, sizeBytes, version: 'v' });

const anyFiles = fc.uniqueArray(fc.string({ unit: 'grapheme', minLength: 1 }), { maxLength: 60 }).map((names) => {
  return names.map((name) => file(`s3://bucket/dir/${name}`));
});

it('every file goes to each of its owners exactly once, in batches of at most the batch size', () => {
  fc.assert(
    fc.property(anyFiles, fc.integer({ min: 1, max: 4 }), (files, replicas) => {
      const drafts = planBatches('job', 'main', 0, files, ring, { ...plan, replicas });
      const placed = drafts.flatMap(({ copy, workerId, root, files: list }) =>
        list.map(([name]) => JSON.stringify([root + name, copy, workerId])),
      );
      const expected = files.flatMap(({ path }) =>
        ring.owners(path, replicas).map((workerId, copy) => JSON.stringify([path, copy, workerId])),
      );
      expect(placed.sort()).toEqual(expected.sort());
      expect(drafts.every(({ files: list }) => list.length >= 1 && list.length <= plan.batchSize)).toBe(true);
      expect(new Set(drafts.map(({ id }) => id)).size).toBe(drafts.length);
    }),
  );
});

it('a broadcast gives every file to every worker, and a file for one worker to that one only', () => {
  const files = [file('s3://b/a'), { ...file('s3://b/b'), workerId: 'w2' }];
  const drafts = planBatches('j', 'main', 0, files, ring, { ...plan, placement: 'broadcast' });
  expect(drafts.map(({ workerId, copy, files: list }) => [workerId, copy, list.length])).toEqual([
    ['w1', 0, 1],
    ['w2', 0, 2],
    ['w3', 0, 1],
  ]);
});

it('the same stretch gives the same batches; another job, file version or step others', () => {
  const files = [file('s3://b/a'), file('s3://b/b')];
  const ids = (...args: [string?, number?, SourceFile[]?]) =>
    planBatches(args[0] ?? 'job', 'main', args[1] ?? 0, args[2] ?? files, ring, plan).map(({ id }) => id);
  expect(ids()).toEqual(ids());
  expect(ids('other')).not.toEqual(ids());
  expect(ids('job', 1)).not.toEqual(ids());
  expect(ids('job', 0, [{ ...files[0], version: 'w' }, files[1]])).not.toEqual(ids());
});

it('a batch closes early at a quarter of a gigabyte, at many bytes of names, at the upper bound of files', () => {
  const one = new HashRing(['w1']);
  const big = Array.from({ length: 4 }, (_, i) => file(`s3://b/${i}`, 200 * 1024 * 1024));
  expect(planBatches('j', 'main', 0, big, one, { ...plan, batchSize: 100 })).toHaveLength(2);
  const long = Array.from({ length: 1000 }, (_, i) => file(`s3://b/${'n'.repeat(900)}${i}`));
  expect(planBatches('j', 'main', 0, long, one, { ...plan, batchSize: 1000 }).length).toBeGreaterThan(3);
  const many = Array.from({ length: maxBatchFiles + 1 }, (_, i) => file(`s3://b/${i}`));
  expect(planBatches('j', 'main', 0, many, one, { ...plan, batchSize: 1_000_000 })).toHaveLength(2);
});

it('without workers there are no batches', () => {
  expect(planBatches('j', 'main', 0, [file('s3://b/a')], new HashRing([]), plan)).toEqual([]);
});
