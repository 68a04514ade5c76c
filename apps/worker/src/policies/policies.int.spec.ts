import { until } from '#async';
import fc from 'fast-check';
import { policiesFrom, priorityOf, ufsPolicies, type NamespaceState } from '#contexts/namespace';
import { InProcessCluster, root } from '../spec-support/in-process-workers.js';
import { cachePolicies } from './cache-policies.js';

const mounts = [{ path: '/data/', ufs: root, options: {} }];
const both = { ttl: true, priority: true };

describe('the policies that the cache looks up', () => {
  const segment = fc.constantFrom('a', 'b', 'ab', '');
  const name = fc.array(segment, { minLength: 1, maxLength: 4 }).map((segments) => segments.join('/'));

  it('are those of the most specific policy, independent of earlier look-ups', () => {
    const policy = fc.array(fc.constantFrom('a', 'b', 'ab'), { maxLength: 3 });
    const path = policy.map((segments) => ['/data', ...segments].join('/'));
    const table = fc.dictionary(path, fc.integer({ min: 1, max: 9 }));
    fc.assert(
      fc.property(table, fc.array(name, { minLength: 1, maxLength: 20 }), (ttls, names) => {
        const priorities = Object.fromEntries(Object.keys(ttls).map((one) => [one, 'high' as const]));
        const namespace: NamespaceState = { mounts, policies: policiesFrom({ ttls, priorities }) };
        const known = ufsPolicies(namespace);
        const asked = cachePolicies(known, both);
        for (const one of names) {
          expect(asked.ttlSecondsOf(root + one)).toBe(known.ttls.mostSpecific(root + one));
          expect(asked.tierOf(root + one)).toBe({ low: 0, medium: 1, high: 2 }[priorityOf(known, root + one)]);
        }
      }),
    );
  });

  it('are empty where the feature is switched off', () => {
    const policies = policiesFrom({ ttls: { '/data': 1 }, priorities: { '/data': 'low' } });
    const asked = cachePolicies(ufsPolicies({ mounts, policies }), { ttl: false, priority: false });
    expect([asked.ttlSecondsOf(`${root}a`), asked.tierOf(`${root}a`)]).toEqual([undefined, 1]);
  });
});

describe('policies at a worker', () => {
  let cluster: InProcessCluster;
  beforeEach(async () => void (cluster = await InProcessCluster.open()));
  afterEach(() => cluster.close());

  it('a new TTL applies to cached copies, and a new quota counts from the moment it is set', async () => {
    const worker = await cluster.start();
    let told = 0;
    worker.services.policies.begin(() => told++);
    await worker.put('dir/a', 'aaaa');
    await worker.put('b', 'bb');
    cluster.namespace({ type: 'QuotaSet', data: { path: '/data/dir', quotaBytes: 10 } });
    cluster.namespace({ type: 'QuotaSet', data: { path: '/data', quotaBytes: 10 } });
    await until(() => (told === 2 ? true : undefined));
    expect(worker.services.policies.quotaUsage()).toEqual({ 's3://bucket/dir': 4, 's3://bucket': 6 });
    cluster.namespace({ type: 'TtlSet', data: { path: '/data/dir', ttlSeconds: 1 } });
    await until(() => (worker.names().length === 1 ? true : undefined));
    expect(worker.names()).toEqual(['b']);
    expect(worker.services.policies.quotaUsage()).toEqual({ 's3://bucket/dir': 0, 's3://bucket': 2 });
  });

  it('a new quota does not cost the cache what it knows of the other policies', async () => {
    const worker = await cluster.start();
    let told = 0;
    worker.services.policies.begin(() => told++);
    const setPolicies = jest.spyOn(worker.services.cache, 'setPolicies');
    cluster.namespace({ type: 'QuotaSet', data: { path: '/data/dir', quotaBytes: 10 } });
    await until(() => (told === 2 ? true : undefined));
    expect(setPolicies).not.toHaveBeenCalled();
    cluster.namespace({ type: 'PrioritySet', data: { path: '/data/dir', priority: 'high' } });
    await until(() => (told === 3 ? true : undefined));
    expect(setPolicies).toHaveBeenCalledTimes(1);
  });

  it('heartbeats carry no quotas while quotas are switched off', async () => {
    const worker = await cluster.start({ settings: { LARDER_QUOTA: 'false' } });
    expect(worker.services.policies.quotaUsage()).toBeUndefined();
  });
});
