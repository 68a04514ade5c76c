import { StoreWaits } from '#ufs';
import type { SourcePage } from '../kinds/index.js';
import { PageReader } from './page-reader.js';

const page = (cursor: string): SourcePage => ({
  files: [],
  filteredFiles: 0,
  rejected: [],
  seenEntries: 0,
  cursor,
  done: false,
});

describe('PageReader', () => {
  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());

  /** A source whose second page comes when it is released, or fails when it is aborted. */
  function open() {
    const waits = new StoreWaits();
    const abort = new AbortController();
    let release!: () => void;
    let ended = false;
    async function* pages() {
      try {
        yield page('one');
        await new Promise<void>((resolve, reject) => {
          release = resolve;
          abort.signal.addEventListener('abort', () => reject(new Error('aborted')));
        });
        yield page('two');
      } finally {
        ended = true;
      }
    }
    return { reader: new PageReader(pages(), waits, abort), waits, release: () => release(), ended: () => ended };
  }

  it('leaves a page for later while it waits for the store, and loses none', async () => {
    const { reader, waits, release } = open();
    expect((await reader.read())?.value).toMatchObject({ cursor: 'one' });
    const end = waits.begin({ ufs: 's3://b/', sinceMs: 1, reason: 'slow down' });
    const early = reader.read();
    await jest.advanceTimersByTimeAsync(1_100);
    expect([await early, reader.isPending]).toEqual([undefined, true]);
    end();
    release();
    expect((await reader.read())?.value).toMatchObject({ cursor: 'two' });
    expect([(await reader.read())?.done, reader.isPending]).toEqual([true, false]);
  });

  it('waits for a page that is only slow', async () => {
    const { reader, release } = open();
    await reader.read();
    const slow = reader.read();
    await jest.advanceTimersByTimeAsync(30_000);
    release();
    expect((await slow)?.value).toMatchObject({ cursor: 'two' });
  });

  it('can be closed with a page under way', async () => {
    const { reader, waits, ended } = open();
    await reader.read();
    waits.begin({ ufs: 's3://b/', sinceMs: 1, reason: 'slow down' });
    const early = reader.read();
    await jest.advanceTimersByTimeAsync(1_100);
    await early;
    await reader.close();
    expect(ended()).toBe(true);
  });
});
