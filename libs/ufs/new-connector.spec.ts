import {
  plainUfsPath,
  KeyRing,
  maskOptions,
  namespace,
  normalizeUfsPath,
  normalizeUfsRoot,
  storeOfMount,
} from '#contexts/namespace';
import { given } from '#testing';
import type { ConnectorDeclaration } from './declarations/index.js';
import { openUfs, probeUfs, UfsError, validateLocation } from './index.js';

/** A new connector is a folder, here the two halves of a made-up one, and an entry for each half. */
jest.mock('./declarations/list.js', () => {
  const actual = jest.requireActual<{ declarations: readonly object[] }>('./declarations/list.js');
  const { memDeclaration } = jest.requireActual<{ memDeclaration: object }>('./spec-support/mem.js');
  return { declarations: [...actual.declarations, memDeclaration] };
});
jest.mock('./openings.js', () => {
  const actual = jest.requireActual<{ openings: object }>('./openings.js');
  const { memOpening } = jest.requireActual<{ memOpening: object }>('./spec-support/mem.js');
  return { openings: { ...actual.openings, mem: memOpening } };
});

/** The real connectors, as they are told of. */
const { declarations } = jest.requireActual<{ declarations: readonly ConnectorDeclaration[] }>(
  './declarations/list.js',
);
const { openings } = jest.requireActual<{ openings: object }>('./openings.js');
const schemes = declarations.map(({ scheme }) => scheme).join(', ');
const examples = declarations.map(({ examples: { path } }) => path).join(', ');
const opened = Object.keys(openings)
  .map((scheme) => `${scheme}://`)
  .join(', ');

const tuning = { idleTimeoutMs: 1000, connectTimeoutMs: 1000, maxConnections: 1 };

describe('a new connector', () => {
  it.each([
    ['mem://shelf', 'mem://shelf/'],
    ['MEM://shelf/a//b', 'mem://shelf/a/b'],
    ['memory://shelf/a/', 'mem://shelf/a/'],
  ])('makes the path %s canonical', (path, canonical) => {
    expect(normalizeUfsPath(path)).toBe(canonical);
  });

  it.each([
    ['mem://Shelf9/a', 'bad-shelf', 'path names no shelf: mem://Shelf9/a'],
    ['mem://shelf/../a', 'dot-segment', `path must not hold '.' or '..' segments: mem://shelf/../a`],
    ['gs://b/a', 'unknown-scheme', `path has the scheme 'gs'; supported are ${schemes} and mem: gs://b/a`],
    ['a', 'not-a-ufs-path', `path must be a UFS path such as ${examples} or mem://shelf/dir: a`],
  ])('gives the error for %s', (path, code, message) => {
    expect(() => normalizeUfsPath(path)).toThrow(expect.objectContaining({ code, message }) as Error);
  });

  it('compares paths in one form', () => {
    expect(plainUfsPath('memory://shelf//a')).toBe('mem://shelf/a');
  });

  it('checks the location and the options of a mount', () => {
    const ufs = 'mem://shelf/';
    const options = { 'mem.room': 'attic', 'mem.pass': 'hush' };
    expect(validateLocation({ ufs, options })).toEqual({ options, ignored: [] });
    const validate = (wrong: Record<string, string>) => () => validateLocation({ ufs, options: wrong });
    expect(validate({ 'mem.rom': 'x' })).toThrow('The option mem.rom is not known: did you mean mem.room?');
    expect(validate({ 'mem.room': '' })).toThrow('The option mem.room must not be empty.');
    expect(() => validateLocation({ ufs: 'gs://b/', options: {} })).toThrow(
      new UfsError('Invalid', 'gs://b/', `Only ${opened}, mem:// can be mounted, not gs://b/.`),
    );
  });

  it('is mounted, with what is secret sealed and masked, and tells its stores apart', () => {
    const ufs = normalizeUfsRoot('memory://shelf');
    const ring = new KeyRing([{ id: 'k', key: Buffer.alloc(32) }]);
    const options = ring.sealOptions(ufs, { 'mem.room': 'attic', 'mem.pass': 'hush' });
    expect(maskOptions(ufs, options)).toEqual({ 'mem.room': 'attic', 'mem.pass': '******' });
    const mounted = { type: 'Mounted', data: { path: '/m/', ufs, options } } as const;
    given(namespace, []).when({ type: 'Mount', path: '/m/', ufs, options }).then([mounted]);
    expect(storeOfMount({ ufs, options })).toBe('mem:attic/shelf');
    given(namespace, [mounted])
      .when({ type: 'ReplaceMountOptions', path: '/m/', options: {} })
      .thenRefused('mount-conflict', /another store \(mem:hall\/shelf\) than \/m\/ shows \(mem:attic\/shelf\)/);
  });

  it('is opened and looked at', async () => {
    const location = { ufs: 'mem://shelf/', options: {} };
    expect(await openUfs(location, tuning).exists('mem://shelf/')).toBe(true);
    const { signal } = new AbortController();
    expect(await probeUfs(location, tuning, signal)).toBe('Nothing is there yet: mem://shelf/.');
  });
});
