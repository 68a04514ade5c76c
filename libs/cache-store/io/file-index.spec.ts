import { content, StoreFixture } from '../fixtures/store-fixture.js';
import { PathTooLongError } from '../index.js';

describe('the file index', () => {
  const fixture = new StoreFixture();
  afterEach(() => fixture.cleanUp());

  it('returns the entries that were really added and removed, cached or not, and keeps them', async () => {
    const directory = await fixture.directory();
    let store = await fixture.open({ directory });
    await store.put({ path: 'cached', version: '1' }, content(1, 10));
    expect(await store.fileIndex.add(['b', 'cached', 'a', 'b'])).toEqual([true, false, true, false]);
    expect(await store.fileIndex.remove(['b', 'nowhere', 'b', ''])).toEqual([true, false, false, false]);
    expect(store.fileIndex.count()).toBe(2);
    await store.close();
    store = await fixture.open({ directory });
    expect(store.fileIndex.list({ limit: 10 })).toEqual(['a', 'cached']);
    expect(store.fileIndex.count()).toBe(2);
    expect(store.get('a')).toBeUndefined();
  });

  it('adds and removes entries with the copies, but keeps a removed entry out', async () => {
    const store = await fixture.open({ capacityBytes: 64 << 10, packedObjectMaxBytes: 1 << 10 });
    const list = () => store.fileIndex.list({ limit: 100 });
    await store.putMetadata({ path: 'meta', version: '1' }, 5);
    expect(list()).toEqual([]);
    await store.put({ path: 'a', version: '1' }, content(1, 500));
    const writer = await store.create({ path: 'b', version: '1' }, 5000);
    await writer.write(content(2, 5000));
    expect(list()).toEqual(['a']);
    await writer.commit();
    expect(list()).toEqual(['a', 'b']);
    await store.fileIndex.remove(['a']);
    expect(list()).toEqual(['b']);
    expect(store.get('a')).toBeDefined();
    await store.putMetadata({ path: 'b', version: '2' }, 5000);
    expect(list()).toEqual([]);
    await store.put({ path: 'a', version: '2' }, content(1, 500));
    expect(list()).toEqual(['a']);
    await store.put({ path: 'all', version: '1' }, content(3, 64 << 10));
    expect(list()).toEqual(['all']);
    await store.delete('all');
    expect(list()).toEqual([]);
  });

  it('adds and lists thousands of entries, in the order of bytes, page by page', async () => {
    const store = await fixture.open();
    const names = Array.from({ length: 5000 }, (_, i) => `f/${String(i).padStart(5, '0')}`).concat(
      'f/é',
      'f/ﬀ',
      'f/😀',
    );
    expect(await store.fileIndex.add([...names].reverse())).toEqual(names.map(() => true));
    const seen: string[] = [];
    for (;;) {
      const page = store.fileIndex.list({ after: seen.at(-1), limit: 700 });
      expect(page.length).toBeLessThanOrEqual(700);
      seen.push(...page);
      if (page.length === 0) break;
    }
    expect(seen).toEqual(names);
    expect(store.fileIndex.list({ limit: 0 })).toEqual([]);
    expect(store.stats()).toMatchObject({ objects: 0, metadataEntries: 0 });
  });

  it('refuses names that cannot be paths, and then adds nothing', async () => {
    const store = await fixture.open();
    await expect(store.fileIndex.add(['ok', 'x'.repeat(1921)])).rejects.toThrow(PathTooLongError);
    await expect(store.fileIndex.add(['ok', ''])).rejects.toThrow('empty');
    expect(store.fileIndex.count()).toBe(0);
    expect(await store.fileIndex.remove(['x'.repeat(3000)])).toEqual([false]);
  });
});
