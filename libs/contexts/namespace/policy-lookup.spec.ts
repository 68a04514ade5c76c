import fc from 'fast-check';
import { namespace, type NamespaceEvent, type NamespaceState } from './namespace.js';
import { isWithin } from './paths.js';
import { ufsPolicies, type UfsPolicy } from './policy-lookup.js';
import { policiesFrom } from './policy-rules.js';
import { PolicyTable } from './policy-table.js';

/** What policies mean, without any shortcut: each is translated through each mount, and all are compared with a path. */
function translated({ mounts, policies }: NamespaceState): UfsPolicy<number>[] {
  return [...policies.quotas].flatMap(([path, value]) =>
    mounts.flatMap(({ path: mountPath, ufs }) => {
      const root = ufs.slice(0, -1);
      if (isWithin(mountPath, path)) {
        const below = path.slice(mountPath.length);
        return [{ path, value, ufsPath: below === '' ? root : ufs + below }];
      }
      return mountPath.startsWith(path === '/' ? '/' : `${path}/`) ? [{ path, value, ufsPath: root }] : [];
    }),
  );
}

const covers = (policy: string, path: string) => path === policy || path.startsWith(`${policy}/`);

const part = fc.array(fc.constantFrom('a', 'b', 'ab', 'a/', '/'), { maxLength: 4 }).map((names) => names.join('/'));
const policyPath = fc.oneof(
  fc.constantFrom('/', '/a', '/a/b', '/c', '/a/b/ab', '/c/a', '/d'),
  part.map((rest) => `/a/b/${rest}`.replace(/\/$/, '')),
  part.map((rest) => `/c/${rest}`.replace(/\/$/, '')),
);
const ufsPath = fc
  .tuple(fc.constantFrom('s3://one', 's3://one/', 's3://two/a', 's3://two/a/', 's3://two', 's3://t'), part)
  .map(([root, rest]) => root + rest);

const mountEvent = fc.constantFrom<NamespaceEvent>(
  { type: 'Mounted', data: { path: '/a/b/', ufs: 's3://one/', options: {} } },
  { type: 'Mounted', data: { path: '/c/', ufs: 's3://two/a/', options: {} } },
  { type: 'Unmounted', data: { path: '/a/b/', ufs: 's3://one/' } },
);
const policyEvent = fc.oneof(
  fc.record({ path: policyPath, quotaBytes: fc.nat(9) }).map((data): NamespaceEvent => ({ type: 'QuotaSet', data })),
  policyPath.map((path): NamespaceEvent => ({ type: 'QuotaRemoved', data: { path } })),
);

const events = fc.array(fc.oneof({ arbitrary: policyEvent, weight: 4 }, mountEvent), { maxLength: 30 });

it('look-ups after any changes are those of a translation of all policies', () => {
  fc.assert(
    fc.property(events, fc.array(ufsPath, { minLength: 1, maxLength: 8 }), (history, asked) => {
      const state = history.reduce((before, event) => namespace.evolve(before, event), namespace.initial);
      const all = translated(state);
      const { quotas } = ufsPolicies(state);
      expect([...quotas]).toEqual(all);
      for (const path of asked) {
        const bySpecificity = (a: UfsPolicy<number>, b: UfsPolicy<number>) =>
          a.ufsPath.length - b.ufsPath.length || a.path.length - b.path.length;
        const covering = all.filter((policy) => covers(policy.ufsPath, path)).sort(bySpecificity);
        expect(quotas.covering(path)).toEqual(covering);
        expect(quotas.mostSpecific(path)).toBe(covering.at(-1)?.value);
        expect(quotas.has(path)).toBe(all.some((policy) => policy.ufsPath === path));
        expect(quotas.hasBelow(path)).toBe(all.some((policy) => policy.ufsPath.startsWith(`${path}/`)));
      }
    }),
  );
});

it('two tables are equal while neither the mounts nor the policies of their kind have changed', () => {
  const mounted = namespace.evolve(namespace.initial, {
    type: 'Mounted',
    data: { path: '/a/', ufs: 's3://one/', options: {} },
  });
  const ttl = namespace.evolve(mounted, { type: 'TtlSet', data: { path: '/a', ttlSeconds: 1 } });
  const [before, after] = [ufsPolicies(mounted), ufsPolicies(ttl)];
  expect(before.quotas.equals(after.quotas)).toBe(true);
  expect(before.ttls.equals(after.ttls)).toBe(false);
  expect(ufsPolicies(namespace.initial).quotas.equals(before.quotas)).toBe(false);
  expect(before.quotas.equals(undefined)).toBe(false);
});

describe('a table of policies', () => {
  const change = fc.record({ path: fc.integer({ min: 0, max: 40 }).map(String), value: fc.option(fc.nat()) });

  it('has what was set and not removed, in order, and its earlier versions stay as they were', () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 120 }), fc.nat(41), (changes, from) => {
        const expected = new Map<string, number>();
        let table = PolicyTable.of<number>({});
        const versions: [PolicyTable<number>, [string, number][]][] = [];
        for (const { path, value } of changes) {
          if (value === null) expected.delete(path);
          else expected.set(path, value);
          table = value === null ? table.without(path) : table.with(path, value);
          versions.push([table, [...expected].sort(([a], [b]) => (a < b ? -1 : 1))]);
        }
        for (const [version, entries] of versions) {
          expect([...version]).toEqual(entries);
          expect([...version.from(`${from}`)]).toEqual(entries.filter(([path]) => path >= `${from}`));
          expect(version.size).toBe(entries.length);
          for (const [path, value] of entries) expect(version.get(path)).toBe(value);
        }
        expect(PolicyTable.of(table.toJSON())).toEqual(table);
      }),
    );
  });

  it.each([
    ['in order', (i: number) => i],
    ['in reverse order', (i: number) => -i],
    ['in turn from both ends', (i: number) => (i % 2 === 0 ? i : -i)],
  ])('stays shallow when paths are added %s, and when half of them are removed', (_order, place) => {
    const count = 4096;
    const path = (i: number) => String(place(i) + 100_000);
    let table = PolicyTable.of<number>({});
    for (let i = 0; i < count; i++) table = table.with(path(i), i);
    expect(table.depth).toBeLessThanOrEqual(2.5 * Math.log2(count));
    for (let i = 0; i < count / 2; i++) table = table.without(path(i));
    expect([table.size, table.get(path(0)), table.get(path(count - 1))]).toEqual([count / 2, undefined, count - 1]);
    expect(table.depth).toBeLessThanOrEqual(2.5 * Math.log2(count));
  });

  it('is an object in JSON', () => {
    const policies = policiesFrom({ ttls: { '/b': 2, '/a': 1 } });
    expect(JSON.parse(JSON.stringify(policies))).toEqual({ quotas: {}, ttls: { '/a': 1, '/b': 2 }, priorities: {} });
  });
});
