import { openParts } from '../fixtures/consistency.js';
import { content, dataFiles, paths, readWhole, StoreFixture, writeInChunks } from '../fixtures/store-fixture.js';
import { CacheFullError, type CachePolicies, type CacheStore } from '../index.js';

const MIB = 1 << 20;
const KIB = 1 << 10;

describe('eviction and compaction', () => {
  const fixture = new StoreFixture();
  afterEach(() => fixture.cleanUp());

  const put = (store: CacheStore, path: string, sizeBytes: number, jobId?: string) =>
    store.put({ path, version: '1', jobId }, content(sizeBytes, sizeBytes));

  it.each([
    ['large', 100 * KIB, 1 * KIB],
    ['packed', 10 * KIB, 256 * KIB],
  ])('evicts the least recently used %s objects first, also after a restart', async (_name, sizeBytes, maxPacked) => {
    const directory = await fixture.directory();
    const capacityBytes = MIB;
    const options = { directory, capacityBytes, packedObjectMaxBytes: maxPacked };
    let store = await fixture.open(options);
    const fitting = Math.floor((capacityBytes * 0.8) / sizeBytes);
    for (let i = 0; i < fitting; i++) await put(store, `f${i}`, sizeBytes);
    expect(store.stats().objects).toBe(fitting);
    await readWhole(store, 'f0');
    await store.close();
    store = await fixture.open(options);
    await readWhole(store, 'f2');
    for (let i = 0; store.get('f1') !== undefined; i++) await put(store, `g${i}`, sizeBytes);
    expect(store.get('f0')).toBeDefined();
    expect(store.get('f2')).toBeDefined();
    for (let i = 0; store.get('f2') !== undefined; i++) await put(store, `h${i}`, sizeBytes);
    // f0 was read before f2, so it went before it.
    expect(store.get('f0')).toBeUndefined();
    expect(store.stats().diskBytes).toBeLessThanOrEqual(capacityBytes);
  });

  it('updates the time of the last access', async () => {
    const store = await fixture.open();
    const { loadedAtMs } = await put(store, 'a', 100);
    while (Date.now() === loadedAtMs) await new Promise(setImmediate);
    await readWhole(store, 'a');
    const accessed = store.get('a')!.lastAccessMs;
    expect(accessed).toBeGreaterThan(loadedAtMs);
    await put(store, 'b', 100); // takes the access along into the index
    expect(store.get('a')).toMatchObject({ lastAccessMs: accessed, loadedAtMs });
  });

  it("evicts other jobs' files for a job, but never its own", async () => {
    const store = await fixture.open({ capacityBytes: MIB, packedObjectMaxBytes: KIB });
    for (let i = 0; i < 5; i++) await put(store, `old${i}`, 100 * KIB, 'old');
    await put(store, 'passive', 100 * KIB);
    let loaded = 0;
    const load = () => put(store, `new${loaded}`, 100 * KIB, 'new');
    await expect(
      (async () => {
        for (; ; loaded++) await load();
      })(),
    ).rejects.toThrow(CacheFullError);
    expect(loaded).toBe(10);
    expect(paths(store)).toEqual(Array.from({ length: 10 }, (_, i) => `new${i}`));
    await expect(load()).rejects.toThrow(/job new/);
    await expect(store.create({ path: 'w', version: '1', jobId: 'new' }, 100 * KIB)).rejects.toThrow(CacheFullError);
    // Once others come, there is something to take.
    await put(store, 'other', 100 * KIB, 'other');
    expect(paths(store)).toHaveLength(10);
    await load();
    expect(store.get('other')).toBeUndefined();
  });

  it.each([
    ['packed', 100 * KIB, MIB],
    ['large', 100 * KIB, KIB],
  ])(
    'spares objects that a job keeps for that job, also after a restart (%s)',
    async (_name, sizeBytes, packedObjectMaxBytes) => {
      const options = { directory: await fixture.directory(), capacityBytes: MIB, packedObjectMaxBytes };
      let store = await fixture.open(options);
      for (const name of ['kept', 'left']) await put(store, name, sizeBytes, 'old');
      const loadedAtMs = store.get('kept')!.loadedAtMs;
      const kept = { path: 'kept', version: '1', sizeBytes, jobId: 'new' };
      expect(await store.keep(kept)).toBe(true);
      expect(store.get('kept')).toMatchObject({ jobId: 'new', kept: true, loadedAtMs });
      for (const other of [{ path: 'none' }, { version: '2' }, { sizeBytes: 1 }]) {
        expect(await store.keep({ ...kept, ...other })).toBe(false);
      }
      await store.close();
      store = await fixture.open(options);
      const fill = async (jobId: string) => {
        for (let i = 0; ; i++) await put(store, `${jobId}${i}`, sizeBytes, jobId);
      };
      await expect(fill('new')).rejects.toThrow(CacheFullError);
      expect(store.get('left')).toBeUndefined();
      expect(store.get('kept')).toMatchObject({ jobId: 'new', kept: true });
      expect(await store.keep(kept)).toBe(true);
      // For others it is as good as any.
      await expect(fill('third')).rejects.toThrow(CacheFullError);
      expect(store.get('kept')).toBeUndefined();
    },
  );

  it('spares objects that running jobs count on, from all others and in every tier, until the jobs end', async () => {
    const options = { directory: await fixture.directory(), capacityBytes: MIB, packedObjectMaxBytes: KIB };
    let store = await fixture.open({ ...options, policies: byLetter });
    await store.keepFor('a');
    for (const path of ['l1', 'l2', 'm1', 'm2', 'm3']) await put(store, path, 100 * KIB, 'a');
    // Both jobs need two of the files: the second job finds one and loads the other again.
    await store.keepFor('b');
    expect(await store.keep({ path: 'm1', version: '1', sizeBytes: 100 * KIB, jobId: 'b' })).toBe(true);
    await put(store, 'm2', 100 * KIB, 'b');
    expect(store.get('m1')).toMatchObject({ jobId: 'b', kept: true, keepers: [{ jobId: 'a', kept: false }] });
    await store.close();
    store = await fixture.open({ ...options, policies: byLetter });
    expect(store.keptFor()).toEqual(['a', 'b']);
    const fill = async (jobId?: string) => {
      for (let i = 0; i < 20; i++) await put(store, `h${jobId}${i}`, 100 * KIB, jobId);
    };
    await expect(fill('c')).rejects.toThrow(/kept for running jobs: (a, b|b, a)/);
    await expect(put(store, 'hx', 900 * KIB)).rejects.toThrow(/kept for running jobs/);
    expect(paths(store).filter((path) => !path.startsWith('h'))).toEqual(['l1', 'l2', 'm1', 'm2', 'm3']);
    store.letGo('a');
    await put(store, 'hx', 800 * KIB);
    expect(paths(store)).toEqual(['hx', 'm1', 'm2']);
    store.letGo('b');
    await put(store, 'hy', MIB);
    expect(paths(store)).toEqual(['hy']);
  });

  it('asks whether a job has ended before an object fails because of it', async () => {
    const store = await fixture.open({ capacityBytes: MIB, packedObjectMaxBytes: KIB });
    await store.keepFor('ended');
    for (let i = 0; i < 10; i++) await put(store, `old${i}`, 100 * KIB, 'ended');
    let asked = 0;
    store.onKeptFull(() => {
      asked++;
      store.letGo('ended');
      return Promise.resolve();
    });
    await put(store, 'new', 500 * KIB, 'new');
    expect([asked, store.get('new')?.sizeBytes]).toEqual([1, 500 * KIB]);
  });

  it.each([
    ['a large object', 600 * KIB],
    ['a packed one', 10 * KIB],
  ])('lets %s of a job wait for room that a running writer may release', async (_what, sizeBytes) => {
    const store = await fixture.open({ capacityBytes: MIB, packedObjectMaxBytes: 100 * KIB });
    const writer = await store.create({ path: 'a', version: '1', jobId: 'a' }, MIB - 5 * KIB);
    const waiting = [0, 1].map((i) => put(store, `b${i}`, sizeBytes, 'b'));
    // Mere readers do not wait, nor do objects that no running writer could help.
    await expect(put(store, 'c', sizeBytes)).rejects.toThrow(CacheFullError);
    await expect(put(store, 'd', MIB + 1, 'd')).rejects.toThrow(CacheFullError);
    await writer.abort();
    const results = await Promise.allSettled(waiting);
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(sizeBytes > 500 * KIB ? 1 : 2);
  });

  it('ends each wait with the end of the job or of the store', async () => {
    const store = await fixture.open({ capacityBytes: MIB, packedObjectMaxBytes: KIB });
    await store.create({ path: 'a', version: '1', jobId: 'a' }, MIB);
    const stop = new AbortController();
    const stopped = store.create({ path: 'b', version: '1', jobId: 'b' }, 10 * KIB, { signal: stop.signal });
    const left = store.create({ path: 'c', version: '1', jobId: 'c' }, 10 * KIB);
    stop.abort(new Error('the job was stopped'));
    await expect(stopped).rejects.toThrow('the job was stopped');
    await Promise.all([store.close(), expect(left).rejects.toThrow()]);
  });

  it('does not keep metadata for a job', async () => {
    const store = await fixture.open();
    await store.putMetadata({ path: 'a', version: '1' }, 100);
    expect(await store.keep({ path: 'a', version: '1', sizeBytes: 100, jobId: 'j' })).toBe(false);
  });

  it("does not walk over a job's own files again and again when they fill the cache", async () => {
    const store = await fixture.open({ capacityBytes: 8 * MIB });
    const files = 4000;
    await Promise.allSettled(Array.from({ length: files }, (_, i) => put(store, `f${i}`, 4 * KIB, 'j')));
    const { objects } = store.stats();
    expect(objects).toBeLessThan(files);
    // Rows looked at, counted where the index hands them out.
    const index = (store as unknown as { parts: { index: { evictionRows(...a: unknown[]): unknown[] } } }).parts.index;
    const rows = jest.spyOn(index, 'evictionRows');
    await Promise.allSettled(Array.from({ length: 100 }, (_, i) => put(store, `g${i}`, 4 * KIB, 'j')));
    const seen = rows.mock.results.reduce((sum, result) => sum + (result.value as unknown[]).length, 0);
    expect(rows.mock.calls.length).toBeGreaterThanOrEqual(100);
    expect(seen).toBeLessThan(objects);
  });

  /** Tiers by the first letter: low, medium, high. */
  const byLetter: CachePolicies = {
    tierOf: (path) => (path.startsWith('l') ? 0 : path.startsWith('h') ? 2 : 1),
    ttlSecondsOf: () => undefined,
  };

  it('evicts lower tiers first, and none above that of the new object', async () => {
    const store = await fixture.open({ capacityBytes: MIB, packedObjectMaxBytes: KIB, policies: byLetter });
    for (const path of ['h1', 'l1', 'm1', 'h2', 'm2', 'l2', 'h3']) await put(store, path, 140 * KIB);
    await readWhole(store, 'l1');
    await put(store, 'm3', 140 * KIB);
    expect(paths(store)).toEqual(['h1', 'h2', 'h3', 'l1', 'm1', 'm2', 'm3']);
    await put(store, 'h4', 140 * KIB);
    expect(paths(store)).toEqual(['h1', 'h2', 'h3', 'h4', 'm1', 'm2', 'm3']);
    await expect(put(store, 'l3', 140 * KIB)).rejects.toThrow(CacheFullError);
    await expect(put(store, 'l3', 140 * KIB)).rejects.toThrow('higher priority');
    await put(store, 'm4', 400 * KIB);
    expect(paths(store)).toEqual(['h1', 'h2', 'h3', 'h4', 'm4']);
    await expect(put(store, 'm5', 600 * KIB)).rejects.toThrow(CacheFullError);
    await put(store, 'h5', 600 * KIB);
    expect(paths(store)).toEqual(['h3', 'h4', 'h5']);
    expect(store.stats()).toMatchObject({ evictedObjects: 8, expiredObjects: 0 });
  });

  it('applies new rules at once, without touching an entry', async () => {
    const directory = await fixture.directory();
    const store = await fixture.open({ directory, capacityBytes: MIB, packedObjectMaxBytes: KIB });
    for (const path of ['m1', 'h1', 'l1', 'm2', 'h2', 'l2', 'm3']) await put(store, path, 140 * KIB);
    const commit = jest.spyOn(openParts(store).index, 'commit');
    store.setPolicies(byLetter);
    await openParts(store).expiry.run();
    expect(commit).not.toHaveBeenCalled();
    await put(store, 'm4', 140 * KIB);
    expect(store.get('l1')).toBeUndefined();
    // h1 was passed over already, when it was not low.
    store.setPolicies({ ...byLetter, tierOf: (path) => (path === 'h1' ? 0 : 2) });
    await put(store, 'm5', 140 * KIB);
    expect(store.get('h1')).toBeUndefined();
    expect(store.get('m1')).toBeDefined();
    store.setPolicies(byLetter);
    await put(store, 'm6', 140 * KIB);
    expect(paths(store)).toEqual(['h2', 'm1', 'm2', 'm3', 'm4', 'm5', 'm6']);
  });

  it('evicts by tier at opening when the policies are known', async () => {
    const directory = await fixture.directory();
    const options = { directory, packedObjectMaxBytes: KIB, policies: byLetter };
    let store = await fixture.open({ ...options, capacityBytes: 4 * MIB });
    for (const path of ['h1', 'm1', 'l1']) await put(store, path, 500 * KIB);
    await store.close();
    store = await fixture.open({ ...options, capacityBytes: MIB });
    expect(paths(store)).toEqual(['h1', 'm1']);
  });

  it('passes over entries of other tiers once, not with every eviction', async () => {
    let asked = 0;
    const tierOf: CachePolicies['tierOf'] = (path) => {
      asked++;
      return byLetter.tierOf(path);
    };
    const store = await fixture.open({ capacityBytes: 8 * MIB, policies: { ...byLetter, tierOf } });
    const fill = (letter: string, files: number) =>
      Promise.all(Array.from({ length: files }, (_, i) => put(store, `${letter}${i}`, 2 * KIB)));
    await fill('h', 2500);
    await fill('l', 2500);
    const before = asked;
    const { objects, evictedObjects } = store.stats();
    // Each has to make room by evicting one of the low ones, which lie behind all the high ones.
    for (let i = 0; i < 300; i++) await put(store, `l-${i}`, 30 * KIB);
    const evicted = store.stats().evictedObjects - evictedObjects;
    expect(evicted).toBeGreaterThan(1000);
    expect(paths(store, 'h')).toHaveLength(2500);
    // Once for what is there, once for what comes, and what eviction looked at twice: where it stopped.
    expect(asked - before).toBeLessThan(2 * objects + 10 * 300 + 64 * 300);
    const steady = asked;
    for (let i = 0; i < 50; i++) await put(store, `l+${i}`, 30 * KIB);
    expect(asked - steady).toBeLessThan(50 * 64);
  });

  it('spares objects that are being read, and reports that when nothing else is left', async () => {
    const store = await fixture.open({ capacityBytes: MIB, packedObjectMaxBytes: KIB });
    await put(store, 'a', 400 * KIB);
    await put(store, 'b', 400 * KIB);
    const reads = [store.read('a')!, store.read('b')!];
    await expect(put(store, 'c', 400 * KIB)).rejects.toThrow('being read');
    expect(paths(store)).toEqual(['a', 'b']);
    await reads[1].close();
    await put(store, 'c', 400 * KIB);
    expect(paths(store)).toEqual(['a', 'c']);
    await reads[0].close();
  });

  it('takes an object as large as the capacity, and refuses a larger one without evicting anything', async () => {
    const store = await fixture.open({ capacityBytes: MIB });
    await put(store, 'small', 10 * KIB);
    await expect(put(store, 'huge', MIB + 1)).rejects.toThrow(CacheFullError);
    expect(paths(store)).toEqual(['small']);
    await put(store, 'all', MIB);
    expect(paths(store)).toEqual(['all']);
    expect(store.stats()).toMatchObject({ diskBytes: MIB, usedBytes: MIB });
    await put(store, 'small', 10 * KIB);
    expect(paths(store)).toEqual(['small']);
  });

  it('compacts segments with many dead records, and loses no object and no running read', async () => {
    const directory = await fixture.directory();
    const store = await fixture.open({ directory, capacityBytes: 4 * MIB });
    const name = (i: number) => `f${String(i).padStart(4, '0')}`;
    const bytesOf = (i: number) => content(i, 8 * KIB);
    await Promise.all(
      Array.from({ length: 380 }, (_, i) => store.put({ path: name(i), version: '1', jobId: 'j' }, bytesOf(i))),
    );
    for (let i = 0; i < 380; i++) if (i % 2 === 0) await store.delete(name(i));
    const reads = [1, 101, 201].map((i) => ({ i, read: store.read(name(i))! }));
    // The job's own files are not evicted for it: only compaction can make this room.
    for (let i = 1000; i < 1100; i++) await store.put({ path: name(i), version: '1', jobId: 'j' }, bytesOf(i));

    const present = [
      ...Array.from({ length: 190 }, (_, i) => 2 * i + 1),
      ...Array.from({ length: 100 }, (_, i) => 1000 + i),
    ];
    expect(paths(store)).toEqual(present.map(name));
    for (const i of present) expect((await readWhole(store, name(i)))?.equals(bytesOf(i))).toBe(true);
    for (const { i, read } of reads) {
      const chunks: Buffer[] = [];
      for await (const chunk of read.stream()) chunks.push(chunk as Buffer);
      expect(Buffer.concat(chunks).equals(bytesOf(i))).toBe(true);
    }
    expect(store.stats().diskBytes).toBeLessThanOrEqual(4 * MIB);
    await store.close();
    const again = await fixture.open({ directory, capacityBytes: 4 * MIB });
    expect(again.stats().diskBytes).toBe((await dataFiles(directory)).bytes);
    for (const i of present) expect((await readWhole(again, name(i)))?.equals(bytesOf(i))).toBe(true);
  });

  it('shrinks to a smaller capacity at opening, keeping the latest used', async () => {
    const directory = await fixture.directory();
    let store = await fixture.open({ directory, capacityBytes: 8 * MIB });
    for (let i = 0; i < 10; i++) await writeInChunks(store, `l${i}`, content(i, 400 * KIB));
    await Promise.all(Array.from({ length: 300 }, (_, i) => put(store, `s${i}`, 8 * KIB)));
    await readWhole(store, 'l0');
    await store.close();
    store = await fixture.open({ directory, capacityBytes: 2 * MIB });
    expect(store.stats().diskBytes).toBeLessThanOrEqual(2 * MIB);
    expect(store.stats().diskBytes).toBe((await dataFiles(directory)).bytes);
    expect(store.get('l0')).toBeDefined();
    expect(store.get('l1')).toBeUndefined();
  });
});
