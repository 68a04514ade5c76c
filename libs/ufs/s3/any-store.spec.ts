import * as fc from 'fast-check';
import { Random, S3TestServer, type ListingManners } from '#testing';
import { compareUtf8 } from '../names.js';
import { UfsError } from '../types.js';
import { S3Connector } from './s3-connector.js';

const tuning = { idleTimeoutMs: 5000, connectTimeoutMs: 1000, maxConnections: 4 };
const names = [
  'a',
  'a/1',
  'a/10',
  'a/2',
  'a//',
  'a b',
  'a+b',
  'a%2Fb',
  'B',
  'é',
  'e\u0301',
  '\uffee',
  '😀',
  '~',
  'dir/',
];

/** What a store may do that leaves no trace in its answers is not among it: keys that it keeps to itself. */
interface Store {
  manners: ListingManners;
  /** It does nothing that S3 does not allow, or this connector does not know how to go about. */
  isHonest: boolean;
}

function drawStore(random: Random): Store {
  const rank = new Map<string, number>();
  const rankOf = (key: string): number => rank.get(key) ?? rank.set(key, random.next()).get(key)!;
  const orders: (ListingManners['order'] | undefined)[] = [
    undefined,
    (a, b) => (a < b ? -1 : a > b ? 1 : 0),
    (a, b) => rankOf(a) - rankOf(b),
  ];
  const order = random.chance(0.5) ? undefined : random.pick(orders);
  const lengths = Array.from({ length: 50 }, () => random.below(4));
  let asked = 0;
  const manners: ListingManners = {
    order,
    form: random.chance(0.25) ? 'V1' : random.chance(0.1) ? 'V1 alone' : undefined,
    startAfter: random.pick(['ignored', 'compared']),
    pageLength: () => lengths[asked++ % lengths.length] ?? 1,
    freshTokens: true,
    codings: random.chance(0.2) ? ['gzip'] : undefined,
  };
  // In no order, a page that was left out by a refused token cannot be told from one that does not exist.
  if (order === undefined && manners.form === undefined && manners.startAfter === 'compared' && random.chance(0.3)) {
    manners.refusesTokens = () => random.chance(0.5);
  }
  if (random.chance(0.5)) return { manners, isHonest: true };
  return { manners: { ...manners, ...drawLie(random) }, isHonest: false };
}

function drawLie(random: Random): Partial<ListingManners> {
  const at = random.below(8);
  let calls = 0;
  return random.pick<Partial<ListingManners>>([
    { next: (end, count) => (calls++ === at ? random.below(end + 1) : end < count ? end : undefined) },
    { next: (end) => random.below(end + 1) },
    { next: (end) => Math.min(end, at), freshTokens: random.chance(0.5) },
    { page: (objects, offset) => (offset === at ? [...objects, ...objects] : objects) },
    { page: (objects, offset) => (offset > at && objects[0] ? [...objects, objects[0]] : objects) },
    { xml: (xml) => (calls++ === at ? xml.slice(0, -random.below(60) - 1) : xml) },
    { xml: (xml) => xml.replace(/<IsTruncated>\w+<\/IsTruncated>/, random.pick(['', '<IsTruncated>maybe</IsTruncated>'])) },
    { xml: (xml) => xml.replace(/<NextContinuationToken>.*?<\/NextContinuationToken>/, '') },
    { xml: (xml) => xml.replace(/<NextMarker>.*?<\/NextMarker>/, '') },
  ]); // prettier-ignore
}

/** `KeyWalk` gives up after so many more pages that a test had to wait long for it; `bucket-listing.spec.ts` sees to that. */
const endless = new UfsError('Invalid', '', 'One page without a key follows another.');

describe('whatever the store does', () => {
  const server = new S3TestServer({ allowAnonymous: true });
  let endpoint: string;
  let buckets = 0;

  beforeAll(async () => void ({ endpoint } = await server.start()));
  afterAll(() => server.stop());

  /** The keys that a walk says there are, or the sentence with which it fails. */
  async function walk(bucket: string, random: Random, isDeclared: boolean): Promise<string[] | UfsError> {
    const options: Record<string, string> = { endpoint, ...(isDeclared ? { unorderedListing: 'true' } : {}) };
    const connect = (): S3Connector => new S3Connector({ ufs: `s3://${bucket}/`, options }, tuning);
    const resumes = random.pick([0, 0.3, 1]);
    const keys: string[] = [];
    let pagesWithout = 0;
    let connector = connect();
    try {
      for (let after: string | undefined, pages = 0; ; pages++) {
        if (pages > 400) throw new Error('the walk does not end');
        if (pagesWithout > 100) return endless;
        if (random.chance(resumes)) {
          await connector.close();
          connector = connect();
        }
        const page = await connector.list(`s3://${bucket}/`, { limit: 1 + random.below(5), after });
        pagesWithout = page.objects.length === 0 ? pagesWithout + 1 : 0;
        keys.push(...page.objects.map(({ path }) => path.slice(`s3://${bucket}/`.length)));
        if (page.rejected.length > 0) throw new Error(JSON.stringify(page.rejected));
        if ((after = page.next) === undefined) return keys;
      }
    } catch (error) {
      if (error instanceof UfsError) return error;
      throw error;
    } finally {
      await connector.close();
    }
  }

  test('a walk says every key once, or that it cannot be believed', async () => {
    const outcomes = { whole: 0, failed: 0 };
    await fc.assert(
      fc.asyncProperty(fc.integer(), async (seed) => {
        const random = new Random(seed);
        const bucket = `any${++buckets}`;
        server.createBucket(bucket);
        const keys = random.some(names, random.below(names.length + 1));
        for (const key of keys) await server.put(bucket, key, key);
        const { manners, isHonest } = drawStore(random);
        server.listing = () => manners;
        const said = await walk(bucket, random, manners.refusesTokens === undefined && random.chance(0.2));
        if (said instanceof UfsError) {
          expect(said.message).toMatch(/^[A-Z].*\.$/s);
          expect(isHonest ? said.message : 'a lie').toBe('a lie');
          outcomes.failed++;
        } else {
          expect([...said].sort(compareUtf8)).toEqual([...keys].sort(compareUtf8));
          outcomes.whole++;
        }
      }),
      { numRuns: 300 },
    );
    // Both were tried, and often.
    expect(outcomes.whole).toBeGreaterThan(100);
    expect(outcomes.failed).toBeGreaterThan(20);
  }, 120_000);
});
