import fc from 'fast-check';
import { namespace } from './namespace.js';
import { mountOfUfsPath, resolveUfsPath } from './namespace.view.js';
import { isWithin, normalizeNamespacePath, normalizeUfsPath, normalizeUfsRoot } from './paths.js';

describe('namespace paths', () => {
  it.each([
    ['/data', '/data/'],
    ['/data/', '/data/'],
    ['//data///x', '/data/x/'],
    ['/', '/'],
    ['/a b/é%2F+', '/a b/é%2F+/'],
  ])('%s becomes %s', (path, normalized) => {
    expect(normalizeNamespacePath(path)).toBe(normalized);
  });

  it.each([
    ['data', /must start with '\/'/],
    ['/data/../etc', /'\.\.' segments/],
    ['/data/./x', /segments/],
    ['/data\u0000', /control character/],
    ['/data\nx', /control character/],
    [`/${'x'.repeat(2000)}`, /longer than 1900 bytes/],
    ['/\ud800', /well-formed Unicode/],
  ])('fault 17: %j is refused', (path, reason) => {
    expect(() => normalizeNamespacePath(path)).toThrow(reason);
  });
});

describe('UFS paths', () => {
  it.each([
    ['s3://bucket', 's3://bucket/'],
    ['s3a://bucket/key', 's3://bucket/key'],
    ['s3://bucket/a//b/', 's3://bucket/a//b/'],
    ['s3://MyPhotos', 's3://MyPhotos/'],
    ['s3://ab/x', 's3://ab/x'],
    ['s3://B/x', 's3://B/x'],
    [`s3://${'x'.repeat(255)}/k`, `s3://${'x'.repeat(255)}/k`],
    ['s3://tenant:photos/k', 's3://tenant:photos/k'],
    ['s3://_my_photos-/k', 's3://_my_photos-/k'],
    ['file:///a//b', 'file:///a/b'],
    ['s3://bucket/%2F+ é\u0065\u0301', 's3://bucket/%2F+ é\u0065\u0301'],
  ])('fault 20: %s becomes %s', (path, normalized) => {
    expect(normalizeUfsPath(path)).toBe(normalized);
  });

  it.each([
    ['hdfs://host/x', /scheme 'hdfs'; supported are s3(,| and) file/],
    ['/plain', /must be a UFS path/],
    ['file://host/x', /file:\/\/\/absolute\/path/],
    ['s3:///x', /no valid S3 bucket/],
    ['s3://b u/x', /no valid S3 bucket/],
    ['s3://key@b/x', /no valid S3 bucket/],
    ['s3://b?x', /no valid S3 bucket/],
    [`s3://${'x'.repeat(256)}/`, /no valid S3 bucket/],
    ['s3://../x', /no valid S3 bucket/],
    ['s3://bucket/a/../b', /segments/],
    ['s3://bucket/a\u0007', /control character/],
  ])('fault 17: %j is refused', (path, reason) => {
    expect(() => normalizeUfsPath(path)).toThrow(reason);
  });

  it('a root ends with a slash', () => {
    expect(normalizeUfsRoot('s3://bucket/dir')).toBe('s3://bucket/dir/');
  });

  it('a path lies within itself and its ancestors, not within namesakes', () => {
    expect(isWithin('s3://b/dir/', 's3://b/dir/x')).toBe(true);
    expect(isWithin('s3://b/dir/', 's3://b/dir')).toBe(true);
    expect(isWithin('s3://b/dir/', 's3://b/directory')).toBe(false);
  });
});

describe('resolving', () => {
  const state = namespace.evolve(namespace.initial, {
    type: 'Mounted',
    data: { path: '/data/', ufs: 's3://bucket/root/', options: {} },
  });

  it.each([
    ['/data/dir/file', 's3://bucket/root/dir/file'],
    ['/data/dir/', 's3://bucket/root/dir/'],
    ['/data', 's3://bucket/root/'],
    ['//data/dir', 's3://bucket/root/dir'],
    ['/data/a//b', 's3://bucket/root/a//b'],
    ['/data//a', 's3://bucket/root//a'],
    ['/data/dir//', 's3://bucket/root/dir//'],
    ['/data/a%2Fb', 's3://bucket/root/a%2Fb'],
    ['s3://bucket/root/dir', 's3://bucket/root/dir'],
    ['s3://bucket/root', 's3://bucket/root'],
  ])('%s is %s', (path, ufsPath) => {
    expect(resolveUfsPath(state, path)).toBe(ufsPath);
  });

  it.each(['/other', '/data2/x', 's3://bucket/elsewhere', 's3://other/root/x', '/'])('%s is outside', (path) => {
    expect(() => resolveUfsPath(state, path)).toThrow(/outside every mount/);
  });

  it('finds the mount of a UFS path', () => {
    expect(mountOfUfsPath(state, 's3://bucket/root/x')?.path).toBe('/data/');
    expect(mountOfUfsPath(state, 's3://bucket/rootless')).toBeUndefined();
  });

  it('maps namespace paths and keys one to one: a namespace path is as literal as a UFS path', () => {
    const segment = fc.constantFrom('a', 'b', '', 'a%2Fb', 'é', 'e\u0301');
    const key = fc.array(segment, { minLength: 1, maxLength: 5 }).map((segments) => segments.join('/'));
    fc.assert(
      fc.property(key, (name) => {
        expect(resolveUfsPath(state, `/data/${name}`)).toBe(resolveUfsPath(state, `s3://bucket/root/${name}`));
      }),
    );
  });

  it('ignores repeated slashes in a directory, as file systems do', () => {
    const files = namespace.evolve(namespace.initial, {
      type: 'Mounted',
      data: { path: '/', ufs: 'file:///dir/', options: {} },
    });
    expect(resolveUfsPath(files, '/a//b')).toBe('file:///dir/a/b');
    expect(resolveUfsPath(files, '//a')).toBe('file:///dir/a');
  });
});
