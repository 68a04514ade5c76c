import fc from 'fast-check';
import { DirectoryChanges, directoryName, directoryOf } from './directories.js';

describe('directories', () => {
  it.each([
    ['s3://b/d/f', ['s3://b/d', 's3://b']],
    ['s3://b/d/', ['s3://b/d', 's3://b']],
    ['s3://b//f', ['s3://b']],
    ['s3://b/d//e/f', ['s3://b/d//e', 's3://b/d', 's3://b']],
    ['s3://b', []],
    ['s3:///f', ['s3://']],
    ['file:///d/f', ['file:///d', 'file://']],
    ['/d/f', ['/d']],
    ['//f', []],
    ['f', []],
    ['://f', [':']],
  ])('%s is in %j', (path, expected) => {
    const directories: string[] = [];
    for (let at = directoryOf(path); at !== undefined; at = directoryOf(at)) directories.push(at);
    expect(directories).toEqual(expected);
  });

  it('hold exactly the paths that start with their name and a slash', () => {
    const path = fc.array(fc.constantFrom('s3://', 'file://', 'b', '/', '//', 'é', ':', 'd/'), {
      minLength: 1,
      maxLength: 8,
    });
    const paths = fc.array(
      path.map((parts) => parts.join('')),
      { maxLength: 12 },
    );
    const property = fc.property(paths, paths, (all, others) => {
      const changes = new DirectoryChanges();
      all.forEach((each, i) => changes.add(each, i + 1, 1));
      const totals = changes.totals();
      // Every name that anyone could ask for, tidied as `usage` does.
      const prefixes = all.flatMap((each) => Array.from(each, (_, i) => each.slice(0, i)));
      for (const name of new Set([...prefixes, ...others, ...all].map(directoryName))) {
        if (name === '') continue; // everything: kept apart
        const below = all.map((each, i) => (isBelow(each, name) ? i + 1 : 0)).filter((bytes) => bytes > 0);
        const expected = { bytes: below.reduce((sum, bytes) => sum + bytes, 0), objects: below.length };
        expect({ name, ...(totals.get(name) ?? { bytes: 0, objects: 0 }) }).toEqual({ name, ...expected });
      }
      for (const name of totals.keys()) expect(directoryName(name)).toBe(name);
    });
    fc.assert(property, { numRuns: 1000 });
  });
});

/** By the definition; what is cut within `scheme://` is no directory. */
function isBelow(path: string, name: string): boolean {
  return path.startsWith(`${name}/`) && name.length >= (/^[a-z][a-z0-9]*:\/\//.exec(path)?.[0].length ?? 0);
}
