import { RetriesExhausted, withRetries, type RetryPolicy } from '../retry.js';
import { UfsError, type UfsConnector, type UfsErrorOptions } from '../types.js';
import { GuardedConnector } from './guarded-connector.js';
import { StoreWaiting } from './store-waiting.js';

const policy = { basePauseMs: 200, maxPauseMs: 10_000, maxOutageMs: 600_000, random: () => 0 };
const retry: RetryPolicy = { attempts: 3, baseDelayMs: 10, maxDelayMs: 100 };

/** A store that takes 10 ms for an answer and does what `fault` says. */
class FakeStore {
  readonly asked: { verb: string; path: string; atMs: number }[] = [];
  fault: (verb: string, path: string) => UfsError | 'hang' | undefined = () => undefined;
  /** Most requests that were under way at once. */
  most = 0;
  private running = 0;
  closed = 0;

  readonly connector = {
    readsParts: false,
    list: (path) => this.answer('list', path, { objects: [], rejected: [], special: [] }),
    stat: (path) => this.answer('head', path, { path, sizeBytes: 1, version: 'v' }),
    exists: (path) => this.answer('list', path, true),
    open: (path) =>
      this.answer('get', path, { object: { path, sizeBytes: 1, version: 'v' }, body: (async function* () {})() }),
    read: (path) => this.answer('get', path, { object: { path, sizeBytes: 1, version: 'v' }, bytes: Buffer.alloc(1) }),
    contentHash: ({ path }) => this.answer('head', path, undefined),
    close: () => {
      this.closed++;
      return Promise.resolve();
    },
  } as UfsConnector;

  private async answer<T>(verb: string, path: string, value: T): Promise<T> {
    this.asked.push({ verb, path, atMs: performance.now() });
    this.most = Math.max(this.most, ++this.running);
    const fault = this.fault(verb, path);
    if (fault === 'hang') return new Promise<T>(() => undefined);
    await new Promise((answered) => setTimeout(answered, 10));
    this.running--;
    if (fault) throw fault;
    return value;
  }
}

const slowDown = (path: string, options: UfsErrorOptions = {}) =>
  new UfsError('Throttled', path, 'slow down', { blame: 'store', ...options });
const broken = (path: string) => new UfsError('Unavailable', path, 'internal error', { blame: 'unclear' });

describe('an outage of a store', () => {
  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());

  let store: FakeStore;
  let guarded: GuardedConnector;
  beforeEach(() => {
    store = new FakeStore();
    guarded = new GuardedConnector(store.connector, 's3://b/', policy);
  });

  const get = (path: string, more: Partial<RetryPolicy> = {}, signal?: AbortSignal) =>
    withRetries({ ...retry, ...more }, () => guarded.read(path, { maxBytes: 10, signal }), { signal });

  /** Reads that have all begun; what came of each. */
  function getAll(count: number, name = 'k') {
    const outcomes = Array.from({ length: count }, (_, i) =>
      get(`${name}${i}`).then(
        ({ attempts }) => attempts,
        (error: RetriesExhausted) => error,
      ),
    );
    return Promise.all(outcomes);
  }

  const during = (fromMs: number, toMs: number, fault: (path: string) => UfsError) => {
    const startMs = performance.now();
    store.fault = (_verb, path) => {
      const atMs = performance.now() - startMs;
      return atMs >= fromMs && atMs < toMs ? fault(path) : undefined;
    };
  };

  it.each([
    ['it asks to slow down', (path: string) => slowDown(path)],
    ['it fails for every request', broken],
    ['it cannot be reached', (path: string) => new UfsError('Unavailable', path, 'refused', { blame: 'store' })],
  ])('costs no attempts when %s, and gets single probes instead of a storm', async (_name, fault) => {
    during(0, 8_000, fault);
    const all = getAll(500);
    await jest.advanceTimersByTimeAsync(7_900);
    const inOutage = store.asked.length;
    // All began at once; from then on there is one probe per pause.
    expect(inOutage).toBeLessThan(500 + 15);
    expect(guarded.status()).toMatchObject({ ufs: 's3://b/', reason: expect.any(String) as string });
    await jest.advanceTimersByTimeAsync(60_000);
    const outcomes = await all;
    expect(outcomes.filter((outcome) => typeof outcome !== 'number')).toEqual([]);
    expect(guarded.status()).toBeUndefined();
    // Opened again gradually: hardly anything was asked for twice.
    expect(store.asked.length).toBeLessThan(500 + 15 + 500 + 15);
  });

  it('is not what single refusals mean, of a store that serves nearly all requests', async () => {
    const first = getAll(300, 'first');
    await jest.advanceTimersByTimeAsync(5_000);
    await first;
    const refused = new Set<string>();
    store.fault = (_verb, path) => {
      const isFirst = path.endsWith('00') && !refused.has(path);
      if (isFirst) refused.add(path);
      return isFirst ? slowDown(path) : undefined;
    };
    const startMs = performance.now();
    const all = getAll(1_000, 'next');
    await jest.advanceTimersByTimeAsync(60_000);
    expect((await all).filter((outcome) => outcome !== 1)).toEqual([]);
    expect(refused.size).toBe(9);
    // No other request waited: every request after the first pause was a retry.
    const late = store.asked.filter(({ atMs }) => atMs > startMs + 20);
    expect(new Set(late.map(({ path }) => path))).toEqual(refused);
    expect(guarded.status()).toBeUndefined();
  });

  it('keeps Retry-After for everybody, and for that verb alone', async () => {
    during(0, 500, (path) => slowDown(path, { retryAfterMs: 5_000 }));
    const { fault } = store;
    store.fault = (verb, path) => (verb === 'get' ? fault(verb, path) : undefined);
    const all = getAll(50);
    await jest.advanceTimersByTimeAsync(20);
    const before = store.asked.length;
    const late = get('late');
    const other = guarded.stat('other');
    await jest.advanceTimersByTimeAsync(1_000);
    expect(await other).toMatchObject({ path: 'other' });
    await jest.advanceTimersByTimeAsync(3_900);
    expect(store.asked.filter(({ verb }) => verb === 'get')).toHaveLength(before);
    await jest.advanceTimersByTimeAsync(5_000);
    await Promise.all([all, late]);
    const firstMs = store.asked.find(({ verb, atMs }) => verb === 'get' && atMs > store.asked[0].atMs + 100)!.atMs;
    expect(firstMs - store.asked[0].atMs).toBeGreaterThanOrEqual(5_000);
  });

  it('lets few through at first once it is over', async () => {
    during(0, 1_000, (path) => slowDown(path));
    const all = getAll(300);
    await jest.advanceTimersByTimeAsync(100);
    store.most = 0;
    const already = store.asked.length;
    while (store.asked.length === already || store.fault('get', 'x') !== undefined) {
      await jest.advanceTimersByTimeAsync(10);
    }
    await jest.advanceTimersByTimeAsync(25);
    const counts = new Map<number, number>();
    for (const { atMs } of store.asked.slice(already)) counts.set(atMs, (counts.get(atMs) ?? 0) + 1);
    expect(Math.max(...counts.values())).toBeLessThanOrEqual(4);
    await jest.advanceTimersByTimeAsync(30_000);
    expect((await all).every((outcome) => typeof outcome === 'number')).toBe(true);
  });

  it.each([
    ['500', 1, broken],
    ['500', 7, broken],
    ['503', 1, (path: string) => slowDown(path)],
    ['503', 7, (path: string) => slowDown(path)],
  ])('is not concluded from %s for ever, of %i objects among good ones', async (_status, bad, fault) => {
    store.fault = (_verb, path) => (path.startsWith('bad') ? fault(path) : undefined);
    const good = getAll(100);
    const failing = getAll(bad, 'bad');
    await jest.advanceTimersByTimeAsync(120_000);
    expect((await good).every((outcome) => typeof outcome === 'number')).toBe(true);
    for (const outcome of await failing) {
      expect(outcome).toBeInstanceOf(RetriesExhausted);
      expect((outcome as RetriesExhausted).attempts).toBe(3);
    }
    // And no request waits for it.
    const next = get('next');
    await jest.advanceTimersByTimeAsync(10_000);
    await next;
    expect(guarded.status()).toBeUndefined();
  });

  it('is distinguished from a bad object by a request for an earlier one', async () => {
    const first = get('k');
    await jest.advanceTimersByTimeAsync(20);
    await first;
    store.fault = (_verb, path) => (path === 'bad' ? broken(path) : undefined);
    const alone = get('bad').catch((error: RetriesExhausted) => error);
    await jest.advanceTimersByTimeAsync(5_000);
    expect(await alone).toMatchObject({ attempts: 3 });
    during(0, 4_000, broken);
    const one = get('single');
    await jest.advanceTimersByTimeAsync(20_000);
    expect((await one).attempts).toBe(1);
  });

  it('of listings alone is waited out while the store slows down, and for some seconds while it fails', async () => {
    // A request for a single entry, as a canary sends it, succeeds.
    const list = store.connector.list.bind(store.connector);
    store.connector.list = (path, options) => list(options?.after === undefined ? 'first' : path, options);
    const page = () => withRetries(retry, () => guarded.list('s3://b/', { after: 'page' }));
    const until = (forMs: number, fault: (path: string) => UfsError) => {
      during(0, forMs, (path) => fault(path));
      const { fault: each } = store;
      store.fault = (verb, path) => (path === 'first' ? undefined : each(verb, path));
    };
    for (const [forMs, fault] of [
      [60_000, slowDown],
      [8_000, broken],
    ] as const) {
      until(forMs, fault);
      const listing = page();
      await jest.advanceTimersByTimeAsync(forMs + 30_000);
      expect((await listing).attempts).toBe(1);
    }
    until(Infinity, broken);
    const listing = page().catch((error: RetriesExhausted) => error);
    await jest.advanceTimersByTimeAsync(30_000);
    expect(await listing).toMatchObject({ attempts: 3, message: 'internal error' });
  });

  it('does not hold up an error that is final', async () => {
    store.fault = (_verb, path) => new UfsError('Forbidden', path, 'denied');
    const all = getAll(5);
    await jest.advanceTimersByTimeAsync(10);
    for (const outcome of await all) expect(outcome).toMatchObject({ attempts: 1, message: 'denied' });
    expect(store.asked).toHaveLength(5);
  });

  it('ends all waits after the longest time, and later ones soon', async () => {
    store.fault = (_verb, path) => slowDown(path);
    const all = getAll(20);
    await jest.advanceTimersByTimeAsync(policy.maxOutageMs - 100);
    expect(guarded.status()).toBeDefined();
    await jest.advanceTimersByTimeAsync(200);
    for (const outcome of await all) expect(outcome).toBeInstanceOf(RetriesExhausted);
    const late = get('late').catch((error: RetriesExhausted) => error);
    await jest.advanceTimersByTimeAsync(6_000);
    expect(await late).toBeInstanceOf(RetriesExhausted);
    // The store comes back: the next request is let through with the next probe.
    store.fault = () => undefined;
    const well = get('well');
    await jest.advanceTimersByTimeAsync(6_000);
    expect((await well).attempts).toBe(1);
  });

  it('holds up a reader only for a limited time, and then tells it when to come again', async () => {
    store.fault = (_verb, path) => slowDown(path, { retryAfterMs: 30_000 });
    const first = get('k');
    first.catch(() => undefined);
    await jest.advanceTimersByTimeAsync(20);
    const reader = get('k', { maxStoreWaitMs: 5_000, demand: true }).catch((error: RetriesExhausted) => error);
    await jest.advanceTimersByTimeAsync(10);
    const { cause } = (await reader) as RetriesExhausted;
    expect(cause).toBeInstanceOf(StoreWaiting);
    expect(cause.retryAfterMs).toBeGreaterThan(29_000);
  });

  it('ends the wait at once for a caller that stops and for a removed mount', async () => {
    store.fault = (_verb, path) => slowDown(path);
    const stop = new AbortController();
    const stopped = get('k', {}, stop.signal).catch((error: RetriesExhausted) => error.cause.code);
    const waiting = get('other').catch((error: RetriesExhausted) => error.cause.code);
    await jest.advanceTimersByTimeAsync(50);
    stop.abort();
    expect(await stopped).toBe('Aborted');
    store.fault = () => 'hang';
    await jest.advanceTimersByTimeAsync(1_000);
    const hanging = guarded.list('s3://b/').catch((error: UfsError) => error.code);
    await guarded.abandon();
    expect([await waiting, await hanging]).toEqual(['Outside', 'Outside']);
    await expect(guarded.stat('k')).rejects.toMatchObject({ code: 'Outside' });
    await guarded.close();
    expect(store.closed).toBe(1);
  });

  it('lets readers go before prefetches', async () => {
    during(0, 1_000, (path) => slowDown(path));
    const ended: string[] = [];
    const ahead = Array.from({ length: 100 }, (_, i) => get(`k${i}`).then(() => ended.push('ahead')));
    await jest.advanceTimersByTimeAsync(500);
    const reader = get('wanted', { demand: true }).then(() => ended.push('reader'));
    await jest.advanceTimersByTimeAsync(20_000);
    await Promise.all([...ahead, reader]);
    expect(ended.indexOf('reader')).toBeLessThan(3);
  });
});
