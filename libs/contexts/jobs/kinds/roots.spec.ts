import fc from 'fast-check';
import { normalizeUfsPath } from '#contexts/namespace';
import { splitRoots } from './roots.js';

const split = (paths: string[], reach: 'tree' | 'children' = 'tree') =>
  splitRoots(
    paths.map((path) => normalizeUfsPath(path)),
    reach,
  );

it('a path within another one is covered by it, and duplicates are listed once', () => {
  const paths = ['s3://bkt/dir', 's3://bkt/dir/sub/x', 's3://bkt/directory', 's3://bkt/dir', 's3://bkt/dir/'];
  expect(split(paths)).toEqual({
    roots: ['s3://bkt/dir', 's3://bkt/directory'],
    covered: ['s3://bkt/dir/', 's3://bkt/dir/sub/x'],
  });
  expect(split(['s3://bkt', 's3://bkt/x'])).toEqual({ roots: ['s3://bkt/'], covered: ['s3://bkt/x'] });
  expect(split(['file:///', 'file:///x'])).toEqual({ roots: ['file:///'], covered: ['file:///x'] });
});

it('a job on direct children does not cover deeper paths', () => {
  const paths = ['s3://bkt/dir', 's3://bkt/dir/x', 's3://bkt/dir/sub/', 's3://bkt/dir/sub/y', 's3://bkt/dir/a/b'];
  expect(split(paths, 'children')).toEqual({
    roots: ['s3://bkt/dir', 's3://bkt/dir/a/b', 's3://bkt/dir/sub/'],
    covered: ['s3://bkt/dir/sub/y', 's3://bkt/dir/x'],
  });
});

/** The plain definition: slow, but easy to check. */
function coveredBy(root: string, path: string, reach: 'tree' | 'children'): boolean {
  const directory = root.endsWith('/') ? root : `${root}/`;
  if (root === path || !path.startsWith(directory)) return false;
  return reach === 'tree' || !path.slice(directory.length).includes('/');
}

it.each(['tree', 'children'] as const)('the result agrees with the plain definition: %s', (reach) => {
  const path = fc
    .stringMatching(/^[ab]{0,2}(\/[ab]{1,2}){0,3}\/?$/)
    .map((rest) => `s3://bkt/${rest.replace(/^\//, '')}`);
  fc.assert(
    fc.property(fc.array(path, { maxLength: 8 }), (paths) => {
      const { roots, covered } = splitRoots(paths, reach);
      const distinct = [...new Set(paths)];
      const expected = distinct.filter((one) => distinct.some((other) => coveredBy(other, one, reach)));
      expect([...covered].sort()).toEqual(expected.sort());
      expect([...roots, ...covered].sort()).toEqual(distinct.sort());
    }),
  );
});
