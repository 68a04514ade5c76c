import { numberedKey, numberedPrefixes, schemes, splitKey } from './store-keys.js';

/** Two real connectors, and a made-up one whose paths may be of several stores. */
jest.mock('#ufs/declarations', () => {
  const actual = jest.requireActual<{ connectors: readonly { scheme: string }[] }>('#ufs/declarations');
  const real = actual.connectors.filter(({ scheme }) => scheme === 's3' || scheme === 'file');
  return { ...actual, connectors: [...real, { scheme: 'mem', storeOf: () => 'mem:' }] };
});

it.each([
  ['s3://bucket/key', 0, 's3://bucket/key'],
  ['s3://bucket/key', 12, 's3.12://bucket/key'],
  ['mem://shelf/key', 0, 'mem://shelf/key'],
  ['mem://shelf/key', 1, 'mem.1://shelf/key'],
  ['file:///dir/mem.1://x', 0, 'file:///dir/mem.1://x'],
])('the copy of %s in the store %i has the key %s', (path, number, key) => {
  expect(numberedKey(path, number)).toBe(key);
  expect(splitKey(key)).toEqual({ path, number });
});

it('files are of one store, with any number', () => {
  expect(numberedKey('file:///dir', 1)).toBe('file:///dir');
});

it('key prefixes are in the order of their bytes', () => {
  expect(schemes).toEqual([
    { root: 'file://', isNumbered: false },
    { root: 'mem://', isNumbered: true },
    { root: 's3://', isNumbered: true },
  ]);
  expect(numberedPrefixes).toEqual(['s3.', 'mem.']);
});
