import { randomInt } from 'node:crypto';
import {
  bentStores,
  clusterSuite,
  content,
  drawListing,
  expectCacheEqualsSource,
  type Fault,
  type LoadProgress,
  Random,
  s3MountOptions,
  type S3RequestInfo,
  S3TestServer,
  sha256,
  type SourceFile,
} from '#testing';
import { expectCountsToAddUp } from '../support/counts.js';

const seed = Number(process.env['LARDER_TEST_SEED'] ?? randomInt(2 ** 31));
const stores = 24;
const large = 300_000;
const firstMs = Date.parse('2026-01-01T10:00:00.700Z');
const putMs = { first: firstMs, second: firstMs + 5000 };

/** Faults that no retry can overcome. */
const hopeless: readonly Fault[] = [
  { kind: 'status', status: 403, code: 'AccessDenied' },
  { kind: 'status', status: 404, code: 'NoSuchKey' },
  { kind: 'status', status: 400, code: 'InvalidRequest' },
];
/** Faults that pass. */
const passing: readonly Fault[] = [
  { kind: 'status', status: 503, code: 'SlowDown', headers: { 'retry-after': '0' } },
  { kind: 'status', status: 500 },
  { kind: 'reset' },
  { kind: 'truncate', afterBytes: 10, how: 'end' },
  { kind: 'truncate', afterBytes: 10, how: 'reset' },
];

interface Store {
  server: S3TestServer;
  endpoint: string;
  bucket: string;
  kind: string;
  /** Whether its listing is true. */
  isHonest: boolean;
  files: Map<string, SourceFile>;
  /** Digests of all contents that the store has ever had under a path. */
  had: Map<string, Set<string>>;
  hopeless: ReadonlySet<string>;
}

/**
 * Loads a store whose listing, validators, faults and redirections are random. Larder's report must be true in every
 * case: a SUCCEEDED job has loaded every file. Any other job names each failed file, or says why it cannot know them.
 */
clusterSuite(
  `loads of any store (LARDER_TEST_SEED=${seed})`,
  { workers: 2, env: { LARDER_RETRY_BASE_MS: '5', LARDER_RETRY_MAX_MS: '50', LARDER_MAX_ATTEMPTS: '6' } },
  ({ cluster }) => {
    const random = new Random(seed);
    const opened: S3TestServer[] = [];

    afterAll(async () => {
      await Promise.all(opened.map((server) => server.stop()));
    });

    async function draw(bucket: string): Promise<Store> {
      const kind = random.pick(Object.keys(bentStores));
      const { manners, isHonest } = random.chance(0.3) ? { manners: undefined, isHonest: true } : drawListing(random);
      const server = new S3TestServer({ validators: bentStores[kind] });
      opened.push(server);
      const { endpoint } = await server.start();
      server.createBucket(bucket);
      server.listing = () => manners;
      const names = random.some(['a', 'a/1', 'a/10', 'B', 'b b', 'c+', 'd%2F', 'é', '😀', 'x/y/z', 'x//y'], 8);
      const files = new Map<string, SourceFile>();
      const store: Store = { server, endpoint, bucket, kind, isHonest, files, had: new Map(), hopeless: new Set() };
      for (const name of names) await put(store, name, 'first');
      store.hopeless = new Set(random.chance(0.4) ? random.some(names, 2) : []);
      server.fault = faultsOf(store);
      return store;
    }

    async function put(
      { server, bucket, files, had }: Store,
      key: string,
      generation: keyof typeof putMs,
    ): Promise<void> {
      const bytes = content(`${bucket}/${key}/${generation}`, random.chance(0.15) ? large : random.below(2000));
      // Without ETags, a version is made of a time in seconds and a size.
      await server.put(bucket, key, bytes, new Date(putMs[generation]));
      const file = { path: `s3://${bucket}/${key}`, sizeBytes: bytes.length, sha256: sha256(bytes) };
      files.set(key, file);
      had.set(file.path, (had.get(file.path) ?? new Set()).add(file.sha256));
    }

    function faultsOf({ endpoint, hopeless: lost }: Store): S3TestServer['fault'] {
      const verdicts = new Map([...lost].map((key) => [key, random.pick(hopeless)]));
      const trouble = random.chance(0.5) ? random.pick(passing) : undefined;
      let left = random.below(6);
      const redirects = random.chance(0.3) ? random.pick([301, 302, 307, 308]) : undefined;
      return ({ operation, bucket, key, query }: S3RequestInfo) => {
        if (redirects !== undefined && key !== '' && !query.has('node')) {
          const location = `${endpoint}/${[bucket, ...key.split('/')].map(encodeURIComponent).join('/')}?node=1`;
          return { kind: 'status', status: redirects, code: 'TemporaryRedirect', headers: { location } };
        }
        if (operation !== 'GetObject') return undefined;
        return verdicts.get(key) ?? (trouble !== undefined && left-- > 0 ? trouble : undefined);
      };
    }

    /** Loads the store and compares the report with the cache. */
    async function check(store: Store, options: Record<string, unknown>): Promise<LoadProgress> {
      const { bucket, files, hopeless: lost } = store;
      const done = await cluster.api.waitForJob(await cluster.api.load({ paths: [`/${bucket}`], options }));
      const failed = new Map((await cluster.api.failedFiles(done.id)).map(({ path, reason }) => [path, reason]));
      expectCountsToAddUp(done, { files: done.scannedFiles });
      expect(failed.size).toBe(done.failedFiles);
      const present = [...files.values()].filter(({ path }) => !failed.has(path));
      if (done.state === 'SUCCEEDED') {
        expect(done.loadedFiles + done.skippedFiles).toBe(files.size);
        expect(failed.size).toBe(0);
      } else {
        expect(done.state).toBe('FAILED');
        expect(done.errorMessage.message).toMatch(/\w/);
      }
      if (store.isHonest || done.state === 'SUCCEEDED') {
        expect([...failed.keys()].sort()).toEqual([...lost].map((key) => `s3://${bucket}/${key}`).sort());
        // A job also reports a bucket without objects.
        expect(done.state).toBe(lost.size > 0 ? 'FAILED' : 'SUCCEEDED');
        await expectCacheEqualsSource(cluster, present, { others: 'any' });
      }
      await expectNoOtherBytes(store);
      return done;
    }

    /** Each cached copy must equal, from its first byte to its last, a content that the store has or had. */
    async function expectNoOtherBytes({ had }: Store): Promise<void> {
      for (const [path, digests] of had) {
        const [copy] = await cluster.readCopies(path, 1);
        if (copy && !digests.has(sha256(copy))) throw new Error(`${path} was never as it is cached`);
      }
    }

    it.each(Array.from({ length: stores }, (_, i) => [`any-${i}`]))(
      '%s',
      (bucket) =>
        cluster.watch(async () => {
          const store = await draw(bucket);
          const { server, endpoint } = store;
          const verify = store.hopeless.size === 0 && random.chance(0.4);
          try {
            await cluster.api.mount(`/${bucket}`, `s3://${bucket}/`, s3MountOptions(endpoint, server.credentials));
            await check(store, { verify });
            server.fault = faultsOf(store);
            for (const key of random.some([...store.files.keys()], 2)) {
              if (!store.hopeless.has(key)) await put(store, key, 'second');
            }
            await check(store, { skipIfExists: true, verify });
          } catch (error) {
            const { kind, isHonest } = store;
            const what = `LARDER_TEST_SEED=${seed}: ${kind}, ${isHonest ? 'honest' : 'lying'}: ${(error as Error).message}`;
            throw new Error(what, { cause: error });
          } finally {
            await cluster.api.request('DELETE', '/mount', { body: { path: `/${bucket}` } });
          }
        }),
      60_000,
    );
  },
);
