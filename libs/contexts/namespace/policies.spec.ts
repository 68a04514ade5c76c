import fc from 'fast-check';
import { given, repeatAddsNothing } from '#testing';
import { namespace, type NamespaceCommand, type NamespaceEvent } from './namespace.js';
import { policyPathFor } from './namespace.view.js';
import { priorityOf, quotasOf, ufsPolicies } from './policy-lookup.js';
import { PolicyTable } from './policy-table.js';

const mounted: NamespaceEvent = { type: 'Mounted', data: { path: '/data/', ufs: 's3://bucket/root/', options: {} } };
const quota = (path: string, quotaBytes: number): NamespaceEvent => ({ type: 'QuotaSet', data: { path, quotaBytes } });
const ttl = (path: string, ttlSeconds: number): NamespaceEvent => ({ type: 'TtlSet', data: { path, ttlSeconds } });

describe('setting', () => {
  it('needs a mount', () => {
    const command: NamespaceCommand = { type: 'SetQuota', path: '/other', quotaBytes: 1 };
    given(namespace, [mounted])
      .when(command)
      .thenRefused('not-mounted', /^No mounted UFS found$/);
  });

  it('records changes, and nothing when nothing changes', () => {
    const command: NamespaceCommand = { type: 'SetQuota', path: '/data/a', quotaBytes: 1 };
    given(namespace, [mounted])
      .when(command)
      .then([quota('/data/a', 1)]);
    given(namespace, [mounted, quota('/data/a', 1)])
      .when(command)
      .then([]);
    given(namespace, [mounted, quota('/data/a', 2)])
      .when(command)
      .then([quota('/data/a', 1)]);
  });
});

describe('removing', () => {
  it.each<[NamespaceCommand, RegExp]>([
    [{ type: 'RemoveQuota', path: '/data/a' }, /^No quota item found for path: \/data\/a$/],
    [{ type: 'RemoveTtl', path: '/data/a' }, /^No TTL policy found for path: \/data\/a$/],
    [{ type: 'RemovePriority', path: '/data/a' }, /^No priority rule found for path: \/data\/a$/],
  ])('%o is refused when there is none', (command, message) => {
    given(namespace, [mounted]).when(command).thenRefused('no-policy', message);
  });

  it('happens with the mount', () => {
    given(namespace, [mounted, quota('/data/a', 1), ttl('/data', 5)])
      .when({ type: 'Unmount', path: '/data/' })
      .then([
        { type: 'Unmounted', data: { path: '/data/', ufs: 's3://bucket/root/' } },
        { type: 'QuotaRemoved', data: { path: '/data/a' } },
        { type: 'TtlRemoved', data: { path: '/data' } },
      ]);
  });
});

describe('looking up', () => {
  const { state } = given(namespace, [
    mounted,
    quota('/data', 100),
    quota('/data/a', 10),
    ttl('/data', 60),
    ttl('/data/a/b', 5),
    { type: 'PrioritySet', data: { path: '/data/a', priority: 'high' } },
  ]);
  const policies = ufsPolicies(state);

  it('translates paths to the UFS', () => {
    expect([...policies.quotas].map(({ ufsPath }) => ufsPath)).toEqual(['s3://bucket/root', 's3://bucket/root/a']);
  });

  it.each([
    ['s3://bucket/root/x', 60],
    ['s3://bucket/root/a/x', 60],
    ['s3://bucket/root/a/b', 5],
    ['s3://bucket/root/a/b/c', 5],
    ['s3://bucket/root/a/bc', 60],
    ['s3://bucket/rootless', undefined],
  ])('the most specific TTL of %s is %s', (path, seconds) => {
    expect(policies.ttls.mostSpecific(path)).toBe(seconds);
  });

  it('a policy on the mount is more specific than one above it', () => {
    const above = given(namespace, [mounted, ttl('/', 1), ttl('/data', 60)]).state;
    expect(ufsPolicies(above).ttls.mostSpecific('s3://bucket/root/x')).toBe(60);
  });

  it('all quotas above a path apply', () => {
    expect(quotasOf(policies, 's3://bucket/root/a/x').map(({ value }) => value)).toEqual([100, 10]);
    expect(quotasOf(policies, 's3://bucket/root/ab').map(({ value }) => value)).toEqual([100]);
  });

  it('the default priority is medium', () => {
    expect(priorityOf(policies, 's3://bucket/root/a/x')).toBe('high');
    expect(priorityOf(policies, 's3://bucket/root/x')).toBe('medium');
  });
});

it('law: the same command twice adds nothing', () => {
  const path = fc.constantFrom('/data', '/data/a', '/other');
  const command: fc.Arbitrary<NamespaceCommand> = fc.oneof(
    fc.constant({ type: 'Mount', path: '/data/', ufs: 's3://bucket/', options: {} } as const),
    fc.constant({ type: 'Unmount', path: '/data/' } as const),
    fc.record({ type: fc.constant('SetQuota' as const), path, quotaBytes: fc.nat(2) }),
    fc.record({ type: fc.constant('RemoveQuota' as const), path }),
    fc.record({ type: fc.constant('SetTtl' as const), path, ttlSeconds: fc.nat(2) }),
    fc.record({ type: fc.constant('RemoveTtl' as const), path }),
    fc.record({ type: fc.constant('SetPriority' as const), path, priority: fc.constantFrom('low', 'high') }),
    fc.record({ type: fc.constant('RemovePriority' as const), path }),
  );
  fc.assert(fc.property(fc.array(command), (history) => repeatAddsNothing(namespace, history)));
});

describe('the path of a policy', () => {
  const events: NamespaceEvent[] = [
    mounted,
    { type: 'Mounted', data: { path: '/deep/er/', ufs: 's3://other/', options: {} } },
    { type: 'Mounted', data: { path: '/disk/', ufs: 'file:///disk/', options: {} } },
  ];
  const state = events.reduce((before, event) => namespace.evolve(before, event), namespace.initial);

  it.each([
    ['/', '/', []],
    ['//data//', '/data', ['s3://bucket/root']],
    ['/data/a', '/data/a', ['s3://bucket/root/a']],
    ['/data/a/', '/data/a', ['s3://bucket/root/a']],
    ['/data/a//b', '/data/a//b', ['s3://bucket/root/a//b']],
    ['/data/a//', '/data/a/', ['s3://bucket/root/a/']],
    ['//deep//er/a//b/', '/deep/er/a//b', ['s3://other/a//b']],
    ['/deep', '/deep', ['s3://other']],
    ['/disk/a//b', '/disk/a/b', ['file:///disk/a/b']],
    ['/elsewhere//x/', '/elsewhere/x', []],
  ])('%s is kept as %s', (given, kept, ufsPaths) => {
    expect(policyPathFor(state, given)).toBe(kept);
    expect(policyPathFor(state, kept === '/data/a/' ? `${kept}/` : kept)).toBe(kept);
    if (kept === '/') return;
    const { quotas } = ufsPolicies({
      ...state,
      policies: { ...state.policies, quotas: PolicyTable.of({ [kept]: 1 }) },
    });
    expect([...quotas].map(({ ufsPath }) => ufsPath)).toEqual(ufsPaths);
  });

  it('distinguishes keys that differ only in slashes', () => {
    const quotas = PolicyTable.of({ '/data/a/': 1, '/data/a': 2 });
    const policies = ufsPolicies({ ...state, policies: { ...state.policies, quotas } });
    expect(policies.quotas.mostSpecific('s3://bucket/root/a//x')).toBe(1);
    expect(policies.quotas.mostSpecific('s3://bucket/root/a/x')).toBe(2);
    expect(quotasOf(policies, 's3://bucket/root/a/x').map(({ value }) => value)).toEqual([2]);
  });
});
