import { buffer } from 'node:stream/consumers';
import { openParts } from '../fixtures/consistency.js';
import { content, paths, StoreFixture } from '../fixtures/store-fixture.js';
import { type CachePolicies, type CacheStore } from '../index.js';

const LARGE = 600_000;

/** A path that ends in a number expires after as many seconds. */
const byName: CachePolicies = {
  tierOf: () => 1,
  ttlSecondsOf: (path) => {
    const seconds = /[\d.]+$/.exec(path)?.[0];
    return seconds === undefined ? undefined : Number(seconds);
  },
};
const never: CachePolicies = { tierOf: () => 1, ttlSecondsOf: () => undefined };

describe('expiry', () => {
  const fixture = new StoreFixture();
  let nowMs = 0;
  const clock = () => nowMs;
  beforeEach(() => (nowMs = 1_700_000_000_000));
  afterEach(() => fixture.cleanUp());

  const put = (store: CacheStore, path: string, sizeBytes = 100) =>
    store.put({ path, version: '1' }, content(sizeBytes, sizeBytes));

  async function afterRound(store: CacheStore): Promise<string[]> {
    await openParts(store).expiry.run();
    return paths(store);
  }

  it('happens by itself, by the wall clock', async () => {
    const store = await fixture.open({ policies: byName });
    await put(store, 'a/0.2');
    await put(store, 'a/3600');
    await put(store, 'a/never');
    // It is gone from the index first, and from the totals once that is durable.
    while (store.stats().expiredObjects === 0) await new Promise(setImmediate);
    expect(store.get('a/0.2')).toBeUndefined();
    expect(Date.now()).toBeGreaterThanOrEqual(store.get('a/never')!.loadedAtMs + 200);
    expect(paths(store)).toEqual(['a/3600', 'a/never']);
    expect(store.fileIndex.list({ limit: 9 })).toEqual(['a/3600', 'a/never']);
    expect(store.stats()).toMatchObject({ expiredObjects: 1, evictedObjects: 0, objects: 2 });
    expect(store.usage('a')).toEqual({ bytes: 200, objects: 2 });
  });

  it('counts from loading: loading a copy again restarts its time, reading it does not', async () => {
    const store = await fixture.open({ policies: byName, clock });
    await put(store, 'a10');
    await put(store, 'b10');
    nowMs += 9_000;
    await put(store, 'a10');
    await buffer(store.read('b10')!.stream());
    nowMs += 1_000;
    expect(await afterRound(store)).toEqual(['a10']);
    nowMs += 8_999;
    expect(await afterRound(store)).toEqual(['a10']);
    nowMs += 1;
    expect(await afterRound(store)).toEqual([]);
  });

  it('lets a reader finish its object, packed or large', async () => {
    const store = await fixture.open({ policies: byName, clock });
    await put(store, 's10', 5_000);
    await put(store, 'l10', LARGE);
    const reads = ['s10', 'l10'].map((path) => store.read(path)!);
    nowMs += 10_000;
    expect(await afterRound(store)).toEqual([]);
    for (const read of reads) {
      const { sizeBytes } = read.entry;
      expect((await buffer(read.stream())).equals(content(sizeBytes, sizeBytes))).toBe(true);
    }
    while (store.stats().diskBytes > LARGE) await new Promise(setImmediate);
  });

  it('applies new policies to existing copies, also after a restart', async () => {
    const directory = await fixture.directory();
    let store = await fixture.open({ directory, clock });
    for (const path of ['a1', 'b5', 'c5', 'd']) await put(store, path);
    nowMs += 5_000;
    expect(await afterRound(store)).toEqual(['a1', 'b5', 'c5', 'd']);
    store.setPolicies({ ...never, ttlSecondsOf: (path) => (path === 'c5' ? 5 : undefined) });
    expect(await afterRound(store)).toEqual(['a1', 'b5', 'd']);
    store.setPolicies(never);
    nowMs += 1_000_000;
    expect(await afterRound(store)).toEqual(['a1', 'b5', 'd']);
    await store.close();
    store = await fixture.open({ directory, clock, policies: byName });
    expect(await afterRound(store)).toEqual(['d']);
  });

  it('fault 15: follows the clock, forwards and backwards, and overlooks nothing', async () => {
    const store = await fixture.open({ policies: byName, clock });
    await put(store, 'a60');
    nowMs += 3_600_000;
    await put(store, 'b60');
    expect(await afterRound(store)).toEqual(['b60']);
    nowMs -= 3_600_000; // b60 was loaded in the future now
    await put(store, 'c60');
    expect(await afterRound(store)).toEqual(['b60', 'c60']);
    nowMs += 60_000;
    expect(await afterRound(store)).toEqual(['b60']);
    nowMs += 3_600_000;
    expect(await afterRound(store)).toEqual([]);
  });

  it('finds many copies at once, of many different times, and looks at each other one once', async () => {
    const store = await fixture.open({ policies: byName, clock });
    const names = Array.from({ length: 3000 }, (_, i) => `f/${i}/${i % 3 ? 'never' : 1 + (i % 50)}`);
    await Promise.all(names.map((path) => put(store, path, 10)));
    for (const seconds of [1, 10, 50]) {
      nowMs = store.get('f/1/never')!.loadedAtMs + seconds * 1000;
      const left = (path: string) => !(Number(path.split('/')[2]) <= seconds);
      expect((await afterRound(store)).sort()).toEqual(names.filter(left).sort());
    }
    const rows = jest.spyOn(openParts(store).index, 'expiryRows');
    nowMs += 1000;
    await openParts(store).expiry.run();
    const seen = rows.mock.results.reduce((sum, { value }) => sum + (value as unknown[]).length, 0);
    expect(seen).toBe(0);
  });

  it('tries again when the index could not be written', async () => {
    const store = await fixture.open({ policies: byName, clock });
    await put(store, 'a10');
    nowMs += 10_000;
    const commit = jest.spyOn(openParts(store).index, 'commit').mockRejectedValueOnce(new Error('disk gone'));
    expect(await afterRound(store)).toEqual(['a10']);
    expect(fixture.log).toEqual([expect.stringContaining('tried again')]);
    commit.mockRestore();
    expect(await afterRound(store)).toEqual([]);
  });
});
