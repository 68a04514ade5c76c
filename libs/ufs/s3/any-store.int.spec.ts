import * as fc from 'fast-check';
import { drawListing, Random, S3TestServer } from '#testing';
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

/** `KeyWalk` gives up after so many more pages that a test had to wait long for it; `bucket-listing.int.spec.ts` sees to that. */
const endless = new UfsError('Invalid', '', 'One page without a key follows another.');

describe('for any behaviour of the store', () => {
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

  test('a walk lists every key once, or fails', async () => {
    const outcomes = { whole: 0, failed: 0 };
    await fc.assert(
      fc.asyncProperty(fc.integer(), async (seed) => {
        const random = new Random(seed);
        const bucket = `any${++buckets}`;
        server.createBucket(bucket);
        const keys = random.some(names, random.below(names.length + 1));
        for (const key of keys) await server.put(bucket, key, key);
        const { manners, isHonest } = drawListing(random);
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
