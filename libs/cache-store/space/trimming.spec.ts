import { StoreFixture } from '../fixtures/store-fixture.js';
import { type CacheStore } from '../types.js';

describe('evicting down to a limit on a directory', () => {
  const fixture = new StoreFixture();
  let store: CacheStore;
  beforeEach(async () => {
    store = await fixture.open();
  });
  afterEach(() => fixture.cleanUp());

  const put = async (path: string, jobId?: string, size = 100) => {
    await store.put({ path, version: 'v', ...(jobId !== undefined && { jobId }) }, Buffer.alloc(size, 'x'));
  };
  const left = () => Array.from(store.entries(''), ({ path }) => path);

  it('takes the lowest tier first, in it the least recently used, and nothing outside the directory', async () => {
    const names = ['s3://b/d', 's3://b/d/1', 's3://b/d/high', 's3://b/d/2', 's3://b/d/low', 's3://b/d/3'];
    for (const name of [...names, 's3://b/d2', 's3://b/da/x', 's3://b/e']) await put(name);
    store.setPolicies({
      tierOf: (path) => (path.endsWith('high') ? 2 : path.endsWith('low') ? 0 : 1),
      ttlSecondsOf: () => undefined,
    });
    await store.read('s3://b/d/1')!.close();
    await store.trim('s3://b/d', 350);
    expect(store.usage('s3://b/d')).toEqual({ bytes: 300, objects: 3 });
    expect(left()).toEqual(['s3://b/d/1', 's3://b/d/3', 's3://b/d/high', 's3://b/d2', 's3://b/da/x', 's3://b/e']);
    await store.trim('s3://b/d/', 0);
    expect(left()).toEqual(['s3://b/d2', 's3://b/da/x', 's3://b/e']);
    expect(store.stats().evictedObjects).toBe(6);
  });

  it('evicts nothing where the limit holds', async () => {
    await put('s3://b/d/1');
    await store.trim('s3://b/d', 100);
    await store.trim('s3://b', 1e9);
    expect(left()).toEqual(['s3://b/d/1']);
  });

  it('leaves copies that a running job counts on, and takes them when the job has ended', async () => {
    await store.keepFor('running');
    await put('s3://b/d/kept', 'running');
    for (let i = 0; i < 600; i++) await put(`s3://b/d/${i}`, 'ended', 10);
    await store.keep({ path: 's3://b/d/7', version: 'v', sizeBytes: 10, jobId: 'running' });
    await store.trim('s3://b/d', 0);
    expect(left()).toEqual(['s3://b/d/7', 's3://b/d/kept']);
    store.letGo('running');
    await store.trim('s3://b/d', 0);
    expect(left()).toEqual([]);
  });

  it('leaves a copy that is being read whole for its reader', async () => {
    await put('s3://b/d/large', undefined, 2 ** 20);
    const stream = store.read('s3://b/d/large')!.stream();
    await store.trim('s3://b/d', 0);
    expect(left()).toEqual(['s3://b/d/large']);
    expect(Buffer.concat((await stream.toArray()) as Buffer[])).toHaveLength(2 ** 20);
    await store.trim('s3://b/d', 0);
    expect(left()).toEqual([]);
  });
});
