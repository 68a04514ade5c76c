import * as fc from 'fast-check';
import { bentStores, drawListing, Random, S3TestServer, type ListingManners } from '#testing';
import { compareUtf8 } from '../../names.js';
import { UfsError } from '../../types.js';
import { KeyWalk } from '../key-walk.js';
import type { ListCursor } from '../list-cursor.js';
import { type ListTrail } from '../list-trail.js';
import { S3Client } from '../s3-client.js';
import { S3Connector } from '../s3-connector.js';
import { s3Settings } from '../s3-settings.js';
import { AheadLimits, type AheadBounds } from './ahead-limits.js';
import { ReadAhead } from './read-ahead.js';

const tuning = { idleTimeoutMs: 5000, connectTimeoutMs: 1000, maxConnections: 64 };
const bounds: AheadBounds = { pages: 6, requests: 8, names: 60, bytes: 40_000 };

/** Names as they are in buckets, by their kind. */
const shapes: Record<string, (random: Random, count: number) => string[]> = {
  decimal: (_, count) => Array.from({ length: count }, (__, i) => `k${String(i).padStart(5, '0')}`),
  'decimal with holes': (random, count) =>
    Array.from({ length: count }, () => `data/${String(random.below(count * 3)).padStart(6, '0')}.bin`),
  hexadecimal: (random, count) => Array.from({ length: count }, () => random.next().toString(16).slice(2, 10)),
  words: (random, count) => Array.from({ length: count }, () => word(random)),
  prefixes: (random, count) => {
    const each = 1 + random.below(15);
    return Array.from({ length: count }, (_, i) => `p${String(Math.floor(i / each)).padStart(3, '0')}/f${i % each}`);
  },
  'prefixes that are words': (random, count) => {
    const directories = Array.from({ length: 1 + random.below(8) }, () => word(random));
    return Array.from({ length: count }, (_, i) => `${random.pick(directories)}/${random.pick(['', 'x/', 'y.z/'])}${i}`);
  },
  mixed: (random, count) => Object.values(shapes).slice(0, 6).flatMap((shape) => shape(random, Math.ceil(count / 6))),
  'names that are hard to order': (random, count) =>
    Array.from({ length: count }, () => random.pick(['a', 'a/', '\uffee', '😀', 'é', '~', ' ', '0', 'z/']) + word(random)),
}; // prettier-ignore

function word(random: Random): string {
  const letters = () => random.pick(['a', 'be', 'co', 'du', 'e', 'fa', 'gi', 'x', 'y', 'zu', '-', '.', '_', 'Q', '7']);
  return Array.from({ length: 1 + random.below(5) }, letters).join('');
}

interface Outcome {
  keys: string[];
  cursors: (ListCursor | undefined)[];
  requests: number;
  error?: UfsError;
}

describe('a walk that reads ahead', () => {
  const server = new S3TestServer({ allowAnonymous: true });
  let endpoint: string;
  let client: S3Client;
  let buckets = 0;
  let bucket: string;

  beforeAll(async () => {
    ({ endpoint } = await server.start());
    client = new S3Client(s3Settings({ ufs: 's3://b0/', options: { endpoint } }), tuning);
  });
  afterAll(async () => {
    await client.close();
    await server.stop();
  });
  const freshBucket = (): void => {
    server.fault = server.listing = server.validators = undefined;
    server.createBucket((bucket = `b${++buckets}`));
  };
  const fill = (random: Random, shape: keyof typeof shapes, count: number): string[] => {
    freshBucket();
    const keys = [...new Set(shapes[shape](random, count))].sort(compareUtf8);
    for (const key of keys) server.generate(bucket, key, 1, 1);
    return keys;
  };

  interface Way {
    random: Random;
    limit: number;
    from?: ListCursor;
    isAhead?: boolean;
    inOrder?: number;
    prefix?: string;
    /** Of each page: versions, sizes, faults. */
    entries?: unknown[];
  }

  /** One walk to its end or its first lasting error. */
  async function walk({ random, limit, from = {}, isAhead = true, inOrder = 0, prefix = '', ...more }: Way) {
    const own = new S3Client(s3Settings({ ufs: `s3://${bucket}/`, options: { endpoint } }), tuning);
    const limits = new AheadLimits(bounds);
    const found: Outcome = { keys: [], cursors: [], requests: 0 };
    // Answers arrive in any order.
    const delayed: Pick<S3Client, 'exchange'> = {
      exchange: async (request, maxBytes) => {
        found.requests++;
        const answer = await own.exchange(request, maxBytes);
        for (let turns = random.below(4) * random.below(8); turns > 0; turns--) await new Promise(setImmediate);
        expect(limits.held.names).toBeLessThanOrEqual(bounds.names);
        return answer;
      },
    };
    const keyWalk = new KeyWalk(delayed, 'x', 200, inOrder);
    const query = { path: `s3://${bucket}/`, prefix, limit, signal: new AbortController().signal };
    const ahead = isAhead ? new ReadAhead(delayed, query, limits) : undefined;
    let trail: ListTrail | undefined;
    let failures = 0;
    try {
      for (let at: ListCursor | undefined = from; at !== undefined;) {
        try {
          const walked = await keyWalk.next(query, at, trail, ahead);
          found.keys.push(...walked.page.entries.flatMap(({ key }) => key ?? []));
          more.entries?.push(...walked.page.entries);
          if (walked.next !== undefined) found.cursors.push(walked.next);
          ({ trail, next: at } = walked);
          if (found.cursors.length > 2000) throw new Error('the walk does not end');
        } catch (error) {
          if (!(error instanceof UfsError)) throw error;
          if (error.retryable && ++failures < 300) continue;
          found.error = error;
          return found;
        }
      }
      return found;
    } finally {
      ahead?.close();
      expect(limits.held).toEqual({ names: 0, bytes: 0 });
      await own.close();
    }
  }

  const anyShape = fc.constantFrom(...Object.keys(shapes));
  const pageSize = fc.integer({ min: 1, max: 10 });

  test('gives the same keys from every cursor, of either walk, with a bounded number of requests', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer(), anyShape, pageSize, async (seed, shape, limit) => {
        const random = new Random(seed);
        const keys = fill(random, shape, random.below(120));
        const inOrder = random.pick([0, 5, 40]);
        const plain = await walk({ random, limit, inOrder, isAhead: false });
        const ahead = await walk({ random, limit, inOrder });
        expect([plain.keys, ahead.keys]).toEqual([keys, keys]);
        expect(ahead.requests).toBeLessThanOrEqual(2 * plain.requests + 2 * bounds.pages);
        if (keys.length <= Math.max(limit, inOrder)) expect(ahead.requests).toBe(plain.requests);
        for (const from of random.some([...plain.cursors, ...ahead.cursors], 4)) {
          const isAhead = random.chance(0.7);
          const rest = await walk({ random, limit: 1 + random.below(10), inOrder, from, isAhead });
          expect(rest.keys).toEqual(keys.filter((key) => compareUtf8(key, from?.after ?? '') > 0));
        }
      }),
      { numRuns: 150 },
    );
  }, 120_000);

  test('has pages before the walk asks, in each shape of a counter', async () => {
    for (const shape of ['decimal', 'hexadecimal', 'prefixes']) {
      const random = new Random(1);
      fill(random, shape, 300);
      const { requests, cursors } = await walk({ random, limit: 10 });
      expect(requests).toBeLessThan(60);
      // More pages than a plain walk has: guesses lead into the page before them.
      expect(cursors.length).toBeGreaterThanOrEqual(30);
    }
  });

  test('a store that does not begin where it is asked to is found out by the first answers', async () => {
    const random = new Random(5);
    const keys = fill(random, 'decimal', 200);
    server.listing = () => ({ startAfter: 'ignored' });
    const plain = await walk({ random, limit: 5, isAhead: false });
    const ahead = await walk({ random, limit: 5 });
    expect(ahead.keys).toEqual(keys);
    expect(ahead.requests).toBeLessThanOrEqual(plain.requests + bounds.pages);
  });

  test('below a prefix, lists what is below it', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer(), pageSize, async (seed, limit) => {
        const random = new Random(seed);
        const keys = fill(random, random.pick(['prefixes', 'prefixes that are words', 'mixed']), 100);
        const prefix = `${random.pick(keys).split('/')[0]}/`;
        const found = await walk({ random, limit, prefix });
        expect(found.keys).toEqual(keys.filter((key) => key.startsWith(prefix)));
      }),
      { numRuns: 40 },
    );
  }, 60_000);

  test('for any behaviour of the store, lists every key once in its order, or fails', async () => {
    const outcomes = { whole: 0, failed: 0 };
    await fc.assert(
      fc.asyncProperty(fc.integer(), anyShape, async (seed, shape) => {
        const random = new Random(seed);
        const keys = fill(random, shape, 20 + random.below(40));
        const { manners, isHonest } = drawListing(random);
        const listsSo: ListingManners = { ...manners, order: undefined };
        server.listing = () => listsSo;
        const limit = 1 + random.below(5);
        const found = await walk({ random, limit });
        if (found.error === undefined) expect(found.keys).toEqual(keys);
        else expect(isHonest && listsSo.refusesTokens === undefined ? found.error.message : 'a lie').toBe('a lie');
        outcomes[found.error === undefined ? 'whole' : 'failed']++;
      }),
      { numRuns: 150 },
    );
    expect(outcomes.whole).toBeGreaterThan(50);
    expect(outcomes.failed).toBeGreaterThan(5);
  }, 120_000);

  test('a listing in another order ends as it does without reading ahead', async () => {
    const orders: ListingManners['order'][] = [
      (a, b) => (a < b ? -1 : a > b ? 1 : 0),
      (a, b) => compareUtf8(b, a),
      (a, b) => Number(a.includes('7')) - Number(b.includes('7')) || compareUtf8(a, b),
    ];
    await fc.assert(
      fc.asyncProperty(fc.integer(), fc.constantFrom(...orders), async (seed, order) => {
        const random = new Random(seed);
        const keys = fill(random, random.pick(Object.keys(shapes)), 60);
        server.listing = () => ({ order, startAfter: 'ignored' });
        const way = { random, limit: 1 + random.below(6), inOrder: 20 };
        const plain = await walk({ ...way, isAhead: false });
        const ahead = await walk(way);
        expect(ahead.error?.message).toBe(plain.error?.message);
        if (plain.error === undefined) expect([...ahead.keys].sort(compareUtf8)).toEqual(keys);
      }),
      { numRuns: 60 },
    );
  }, 60_000);

  test('each entry is as a plain walk gives it, in stores that tell versions in their own ways', async () => {
    for (const bend of Object.values(bentStores)) {
      const random = new Random(7);
      fill(random, 'decimal', 80);
      server.validators = bend;
      const entries: unknown[][] = [[], []];
      await walk({ random, limit: 5, isAhead: false, entries: entries[0] });
      await walk({ random, limit: 5, entries: entries[1] });
      expect(entries[0]).toHaveLength(80);
      expect(entries[1]).toEqual(entries[0]);
    }
  });

  test('refusals and broken connections lose no key and give none twice', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer(), anyShape, pageSize, async (seed, shape, limit) => {
        const random = new Random(seed);
        const keys = fill(random, shape, 80);
        const share = random.pick([0.02, 0.2, 0.5]);
        server.fault = () =>
          random.chance(share)
            ? random.pick([{ kind: 'status', status: 503 }, { kind: 'status', status: 500 }, { kind: 'reset' }])
            : undefined;
        expect((await walk({ random, limit })).keys).toEqual(keys);
      }),
      { numRuns: 60 },
    );
  }, 60_000);

  test('an error that stays is met where the walk is, as without reading ahead', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer(), anyShape, pageSize, async (seed, shape, limit) => {
        const random = new Random(seed);
        const keys = fill(random, shape, 80);
        // Further from the end than a page: each walk must ask behind it.
        const at = keys[random.below(Math.max(1, keys.length - limit))];
        server.fault = ({ query }) => {
          const token = query.get('continuation-token');
          const from = token === null ? query.get('start-after') : Buffer.from(token.slice(1), 'base64url').toString();
          const isBehind = from !== null && compareUtf8(from, at) >= 0;
          return isBehind ? { kind: 'status', status: 403, code: 'AccessDenied' } : undefined;
        };
        const plain = await walk({ random, limit, isAhead: false });
        const ahead = await walk({ random, limit });
        expect([ahead.error?.code, ahead.error?.message]).toEqual([plain.error?.code, plain.error?.message]);
        expect(ahead.keys).toEqual(keys.slice(0, ahead.keys.length));
        expect(ahead.keys).toContain(at);
      }),
      { numRuns: 60 },
    );
  }, 60_000);

  test('keys that stay are listed once while others come and go', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer(), anyShape, pageSize, async (seed, shape, limit) => {
        const random = new Random(seed);
        const staying = new Set(fill(random, shape, 80));
        const passing = shapes[shape](new Random(seed + 1), 80).filter((key) => !staying.has(key));
        const hidden = new Set<string>();
        for (const key of passing) server.generate(bucket, key, 1, 1);
        const changes = random.pick([1, 5]);
        server.listing = () => {
          for (let i = 0; i < changes && passing.length > 0; i++) {
            const key = random.pick(passing);
            if (!hidden.delete(key)) hidden.add(key);
          }
          return { xml: (xml) => [...hidden].reduce(withoutKey, xml) };
        };
        const { keys, error } = await walk({ random, limit });
        expect(error).toBeUndefined();
        expect(keys).toEqual([...new Set(keys)].sort(compareUtf8));
        expect(keys.filter((key) => staying.has(key))).toEqual([...staying]);
      }),
      { numRuns: 60 },
    );
  }, 60_000);

  test('a mount reads ahead once 10,000 keys have come in order', async () => {
    const keys = fill(new Random(9), 'decimal', 14_000);
    const asked: string[] = [];
    server.listing = ({ query }) => {
      asked.push(query.has('start-after') ? 'guess' : query.has('continuation-token') ? 'token' : 'first');
      return undefined;
    };
    const connector = new S3Connector({ ufs: `s3://${bucket}/`, options: { endpoint } }, tuning);
    const listed: string[] = [];
    for (let after: string | undefined, isLast = false; !isLast;) {
      const page = await connector.list(`s3://${bucket}/`, { after });
      listed.push(...page.objects.map(({ path }) => path.slice(`s3://${bucket}/`.length)));
      ({ next: after } = page);
      isLast = after === undefined;
    }
    await connector.close();
    expect(listed).toEqual(keys);
    expect(asked.slice(0, 10)).toEqual(['first', ...Array<string>(9).fill('token')]);
    expect(asked).toContain('guess');
  });

  test('a walk that is stopped holds nothing and ends its requests', async () => {
    const random = new Random(3);
    fill(random, 'decimal', 300);
    const limits = new AheadLimits(bounds);
    const stop = new AbortController();
    const query = { path: `s3://${bucket}/`, prefix: '', limit: 10, signal: stop.signal };
    const own = new S3Client(s3Settings({ ufs: `s3://${bucket}/`, options: { endpoint } }), tuning);
    const ahead = new ReadAhead(own, query, limits);
    const keyWalk = new KeyWalk(own, 'x', 30, 0);
    let at: ListCursor | undefined = {};
    let trail: ListTrail | undefined;
    for (let i = 0; i < 8; i++) ({ next: at, trail } = await keyWalk.next(query, at!, trail, ahead));
    expect(limits.held.names).toBeGreaterThan(0);
    stop.abort();
    expect(limits.held).toEqual({ names: 0, bytes: 0 });
    await expect(keyWalk.next(query, at!, trail, ahead)).rejects.toThrow(UfsError);
    await own.close();
  });
});

function withoutKey(xml: string, key: string): string {
  const shown = encodeURIComponent(key).replaceAll('%2F', '/').replaceAll('%20', '+');
  return xml.replace(`<Contents><Key>${shown}</Key>`, '<Removed><Key/>').replace(/<Removed>.*?<\/Contents>/, '');
}
