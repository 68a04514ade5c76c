import fc from 'fast-check';
import { given, repeatAddsNothing } from '#testing';
import { namespace, type NamespaceCommand, type NamespaceEvent, type StoredOption } from './namespace.js';
import { isWithin } from './paths.js';

const mounted = (path: string, ufs: string): NamespaceEvent => ({ type: 'Mounted', data: { path, ufs, options: {} } });
const mount = (path: string, ufs: string): NamespaceCommand => ({ type: 'Mount', path, ufs, options: {} });

describe('mounting', () => {
  it('records path, UFS and the sealed options', () => {
    const options = { region: { plain: 'eu-1' } };
    given(namespace, [])
      .when({ type: 'Mount', path: '/data/', ufs: 's3://bucket/', options })
      .then([{ type: 'Mounted', data: { path: '/data/', ufs: 's3://bucket/', options } }]);
  });

  it.each([
    ['the same path', '/data/', 's3://other/', /already mounted to s3:\/\/bucket\//],
    ['the same UFS', '/other/', 's3://bucket/', /already been mounted to \/data\//],
    ['a path below another', '/data/sub/', 's3://other/', /nested mounts/],
    ['a path above another', '/', 's3://other/', /nested mounts/],
    ['a UFS below another', '/other/', 's3://bucket/dir/', /overlaps s3:\/\/bucket\//],
  ])('refuses %s, with the reason', (_case, path, ufs, reason) => {
    given(namespace, [mounted('/data/', 's3://bucket/')])
      .when(mount(path, ufs))
      .thenRefused('mount-conflict', reason);
  });

  it('refuses a UFS above another', () => {
    given(namespace, [mounted('/data/', 's3://bucket/dir/')])
      .when(mount('/other/', 's3://bucket/'))
      .thenRefused('mount-conflict', /overlaps/);
  });

  it('accepts neighbours that only share a prefix', () => {
    given(namespace, [mounted('/data/', 's3://bucket/dir/')])
      .when(mount('/data2/', 's3://bucket/directory/'))
      .then([mounted('/data2/', 's3://bucket/directory/')]);
  });

  it('accepts a path again after its unmount', () => {
    given(namespace, [
      mounted('/data/', 's3://bucket/'),
      { type: 'Unmounted', data: { path: '/data/', ufs: 's3://bucket/' } },
    ])
      .when(mount('/data/', 's3://bucket/'))
      .then([mounted('/data/', 's3://bucket/')]);
  });
});

describe('unmounting', () => {
  it('names the UFS that was mounted', () => {
    given(namespace, [mounted('/data/', 's3://bucket/')])
      .when({ type: 'Unmount', path: '/data/' })
      .then([{ type: 'Unmounted', data: { path: '/data/', ufs: 's3://bucket/' } }]);
  });

  it('is refused where nothing is mounted', () => {
    given(namespace, []).when({ type: 'Unmount', path: '/data/' }).thenRefused('not-mounted');
  });
});

const plain = (options: Record<string, string>) =>
  Object.fromEntries(Object.entries(options).map(([name, value]) => [name, { plain: value }]));
const replace = (options: Record<string, string>, ufs?: string): NamespaceCommand => ({
  type: 'ReplaceMountOptions',
  path: '/data/',
  options: plain(options),
  ...(ufs === undefined ? {} : { ufs }),
});
const replaced = (options: Record<string, string>): NamespaceEvent => ({
  type: 'MountOptionsReplaced',
  data: { path: '/data/', ufs: 's3://bucket/', options: plain(options) },
});

describe('replacing the options of a mount', () => {
  const at = (options: Record<string, string>): NamespaceEvent => ({
    type: 'Mounted',
    data: { path: '/data/', ufs: 's3://bucket/', options: plain(options) },
  });

  it('replaces all of them, and keeps policies and the mount', () => {
    const history = [
      at({ region: 'eu-1', accessKeyId: 'old' }),
      { type: 'TtlSet', data: { path: '/data', ttlSeconds: 9 } },
    ];
    given(namespace, history as NamespaceEvent[])
      .when(replace({ accessKeyId: 'new' }, 's3://bucket/'))
      .then([replaced({ accessKeyId: 'new' })]);
    const state = [...history, replaced({ accessKeyId: 'new' })].reduce(
      (before, event) => namespace.evolve(before, event as NamespaceEvent),
      namespace.initial,
    );
    expect(state.mounts).toEqual([{ path: '/data/', ufs: 's3://bucket/', options: plain({ accessKeyId: 'new' }) }]);
    expect(state.policies.ttls.toJSON()).toEqual({ '/data': 9 });
  });

  it('accepts another spelling of the same endpoint', () => {
    given(namespace, [at({ endpoint: 'http://Host:80/' })])
      .when(replace({ 'fs.s3a.endpoint': 'http://host' }))
      .then([replaced({ 'fs.s3a.endpoint': 'http://host' })]);
  });

  it.each([
    ['another endpoint', replace({ endpoint: 'http://b' }), /another store .*b:80\/bucket.* than .*a:80\/bucket/],
    ['no endpoint where there was one', replace({}), /another store .*aws\/bucket/],
    [
      'another UFS',
      replace({ endpoint: 'http://a' }, 's3://other/'),
      /mounted to s3:\/\/bucket\/, not to s3:\/\/other\//,
    ],
  ])('is refused for %s, with advice', (_what, command, reason) => {
    given(namespace, [at({ endpoint: 'http://a' })])
      .when(command)
      .thenRefused('mount-conflict', reason);
    given(namespace, [at({ endpoint: 'http://a' })])
      .when(command)
      .thenRefused('mount-conflict', /remove the mount and create it again/);
  });

  it('is refused where nothing is mounted', () => {
    given(namespace, []).when(replace({})).thenRefused('no-mount');
  });
});

const anyCommand = fc.oneof(
  fc.record({
    type: fc.constant('ReplaceMountOptions' as const),
    path: fc.constantFrom('/', '/a/', '/a/b/', '/b/', '/ab/'),
    options: fc.constantFrom<Record<string, StoredOption>>(
      {},
      { region: { plain: 'eu-1' } },
      { endpoint: { plain: 'http://other' } },
    ),
  }),
  fc.record({
    type: fc.constant('Mount' as const),
    path: fc.constantFrom('/', '/a/', '/a/b/', '/b/', '/ab/'),
    ufs: fc.constantFrom('s3://b/', 's3://b/x/', 's3://b/x/y/', 's3://c/', 'file:///x/'),
    options: fc.constant({}),
  }),
  fc.record({ type: fc.constant('Unmount' as const), path: fc.constantFrom('/', '/a/', '/a/b/', '/b/', '/ab/') }),
);

describe('laws', () => {
  it('the same command twice adds nothing', () => {
    fc.assert(fc.property(fc.array(anyCommand), (history) => repeatAddsNothing(namespace, history)));
  });

  it('no two mounts ever overlap', () => {
    fc.assert(
      fc.property(fc.array(anyCommand), (history) => {
        let state = namespace.initial;
        for (const command of history) {
          try {
            for (const event of namespace.decide(state, command)) state = namespace.evolve(state, event);
          } catch {
            // Refused: the state does not change.
          }
        }
        for (const a of state.mounts) {
          for (const b of state.mounts) {
            if (a === b) continue;
            expect(isWithin(a.path, b.path)).toBe(false);
            expect(isWithin(a.ufs, b.ufs)).toBe(false);
          }
        }
      }),
    );
  });
});
