import fc from 'fast-check';
import { misspeltName, nearestName } from './nearest.js';

const known = [
  'id',
  'state',
  'paths',
  'replicas',
  'batchSize',
  'fileFilterRegex',
  'fileFilterRegx',
  'loadMetadataOnly',
];

it.each([
  ['replicaz', 'replicas'],
  ['replica', 'replicas'],
  ['replcias', 'replicas'],
  ['batch_size', 'batchSize'],
  ['BATCHSIZE', 'batchSize'],
  ['ID', 'id'],
  ['path', 'paths'],
  ['stat', 'state'],
  ['fileFilterRegexp', 'fileFilterRegex'],
  ['fileFilterRgx', 'fileFilterRegx'],
  ['loadMetaOnly', undefined],
  ['newerField', undefined],
  ['op', undefined],
  ['toString', undefined],
  ['status', undefined],
  ['x'.repeat(1_000_000), undefined],
  ['', undefined],
])('%.40s looks like %s', (name, like) => {
  expect(misspeltName(name, known)).toBe(like);
});

it('the nearest name is found at any distance', () => {
  expect(nearestName('regoin', ['endpoint', 'region'])).toEqual({ name: 'region', distance: 1 });
  expect(nearestName('zzz', ['endpoint', 'region'])?.name).toBe('region');
  expect(nearestName('zzz', [])).toBeUndefined();
});

it('the distance to itself is 0, and one edit is at most 1 away', () => {
  const name = fc.stringMatching(/^[a-z]{1,12}$/);
  fc.assert(
    fc.property(name, fc.nat(), fc.stringMatching(/^[a-z]$/), (text, at, letter) => {
      expect(nearestName(text, [text])?.distance).toBe(0);
      const place = at % (text.length + 1);
      const edited = text.slice(0, place) + letter + text.slice(place);
      expect(nearestName(edited, [text])?.distance).toBe(1);
      expect(nearestName(text, [edited])?.distance).toBe(1);
    }),
  );
});
