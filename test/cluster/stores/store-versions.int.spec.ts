import {
  bentStores,
  clusterSuite,
  content,
  expectCacheEqualsSource,
  keys,
  type LoadProgress,
  RedirectingServer,
  s3MountOptions,
  S3TestServer,
  sha256,
  sizeOf,
  type SourceFile,
} from '#testing';
import { request } from 'undici';
import { expectCountsToAddUp } from '../support/counts.js';

const large = 600_000;
const firstMs = Date.parse('2026-01-01T10:00:00.700Z');

clusterSuite(
  'stores that report versions, addresses and regions differently from Amazon S3',
  { workers: 2, env: { LARDER_RETRY_BASE_MS: '20', LARDER_RETRY_MAX_MS: '100' }, testTimeoutMs: 60_000 },
  ({ cluster, test }) => {
    const servers: { stop(): Promise<void> }[] = [];

    afterAll(async () => {
      await Promise.all(servers.map((server) => server.stop()));
    });

    async function load(mount: string, options: Record<string, unknown> = {}): Promise<LoadProgress> {
      return cluster.api.waitForJob(await cluster.api.load({ paths: [mount], options }));
    }

    /** Starts a separate store with one bucket. */
    async function startStore(bucket: string, options: ConstructorParameters<typeof S3TestServer>[0] = {}) {
      const server = new S3TestServer(options);
      servers.push(server);
      const { endpoint } = await server.start();
      server.createBucket(bucket);
      const put = async (key: string, bytes: Buffer, second = 0): Promise<SourceFile> => {
        await server.put(bucket, key, bytes, new Date(firstMs + 1000 * second));
        return { path: `s3://${bucket}/${key}`, sizeBytes: bytes.length, sha256: sha256(bytes) };
      };
      const fill = async (names: readonly string[]): Promise<SourceFile[]> => [
        ...(await Promise.all(names.map((key) => put(key, content(`${bucket}/${key}`, 1000))))),
        await put('large', content(bucket, large)),
      ];
      const reads = () =>
        server.requests.filter(({ operation, bytesSent }) => operation === 'GetObject' && bytesSent > 1);
      return { server, endpoint, put, fill, reads, mountOptions: s3MountOptions(endpoint, server.credentials) };
    }

    const kinds = [
      'no ETag from GET and HEAD',
      'no ETag from GET and HEAD, preconditions ignored',
      'no ETag in the listing',
      'no ETag anywhere',
      'another ETag in the listing',
      'another ETag in the listing, used for If-Match',
      'weak ETags',
      'ETags without quotes',
      'no length from GET, no ETag from GET and HEAD',
    ];
    kinds.forEach((kind, i) => {
      test(`${kind}: recognises loaded objects and notices changed ones`, async () => {
        const bucket = `versions-${i}`;
        const mount = `/${bucket}`;
        const store = await startStore(bucket, { validators: bentStores[kind] });
        await cluster.api.mount(mount, `s3://${bucket}/`, store.mountOptions);
        const files = await store.fill(keys(30));
        const total = { files: files.length, bytes: sizeOf(files) };

        const first = await load(mount, { skipIfExists: true });
        expect(first).toMatchObject({ state: 'SUCCEEDED', loadedFiles: 31, failedFiles: 0, errorMessage: {} });
        expectCountsToAddUp(first, total);
        const { length: readsAfterLoad } = store.reads();
        for (const verify of [false, true]) {
          const again = await load(mount, { skipIfExists: true, verify });
          expect(again).toMatchObject({ state: 'SUCCEEDED', loadedFiles: 0, skippedFiles: 31, repairedFiles: 0 });
          expect(again.verifiedFiles).toBe(verify ? 31 : 0);
          expectCountsToAddUp(again, total);
        }
        expect(store.reads()).toHaveLength(readsAfterLoad);

        const changed = [
          await store.put(keys(1)[0], content('changed', 1000), 5),
          await store.put('large', content('changed', large), 5),
        ];
        const isChanged = ({ path }: SourceFile) => changed.some((one) => one.path === path);
        const now = [...files.filter((file) => !isChanged(file)), ...changed];
        expect(await load(mount, { skipIfExists: true })).toMatchObject({ loadedFiles: 2, skippedFiles: 29 });
        await expectCacheEqualsSource(cluster, now, { others: 'any' });

        const later = await store.put(keys(2)[1], content('later', 1000), 9);
        // This loads the objects once more. The verification must accept them.
        expect(await load(mount, { verify: true })).toMatchObject({
          state: 'SUCCEEDED',
          verifiedFiles: 31,
          repairedFiles: 0,
        });
        await expectCacheEqualsSource(cluster, [...now.filter(({ path }) => path !== later.path), later], {
          others: 'any',
        });
      });
    });

    test('an object without a load is read through a worker, whole and in ranges, and then from the cache', async () => {
      for (const [i, kind] of kinds.entries()) {
        const bucket = `read-${i}`;
        const store = await startStore(bucket, { validators: bentStores[kind] });
        await cluster.api.mount(`/${bucket}`, `s3://${bucket}/`, store.mountOptions);
        const bytes = content(kind, large);
        const { path } = await store.put('large', bytes);
        const read = async (headers: Record<string, string> = {}) => {
          const url = `http://${cluster.workers[0].address}/v1/objects?redirect=false&path=${encodeURIComponent(path)}`;
          const answer = await request(url, { headers });
          return [answer.statusCode, sha256(Buffer.from(await answer.body.arrayBuffer()))];
        };
        expect(await read({ range: 'bytes=599990-' })).toEqual([206, sha256(bytes.subarray(-10))]);
        expect(await read()).toEqual([200, sha256(bytes)]);
      }
    });

    test('a load follows the redirects of a store to its nodes', async () => {
      const store = await startStore('redirected');
      const front = new RedirectingServer();
      servers.push(front);
      const { endpoint } = await front.start();
      front.answer = ({ url = '' }) => ({ status: 307, headers: { location: store.endpoint + url } });
      await cluster.api.mount('/redirected', 's3://redirected/', s3MountOptions(endpoint, store.server.credentials));
      const files = await store.fill(keys(20));
      expect(await load('/redirected')).toMatchObject({ state: 'SUCCEEDED', loadedFiles: 21, errorMessage: {} });
      await expectCacheEqualsSource(cluster, files, { others: 'any' });

      front.answer = ({ url = '' }) =>
        url.includes('list-type')
          ? { status: 307, headers: { location: store.endpoint + url } }
          : { status: 307, headers: { location: 'http://169.254.169.254/latest/meta-data/' } };
      const refused = await load('/redirected');
      expect(refused).toMatchObject({ state: 'FAILED', loadedFiles: 0, failedFiles: 21 });
      const failures = await cluster.api.failedFiles(refused.id);
      expect(failures.every(({ attempts }) => attempts === 1)).toBe(true);
      expect(failures[0].reason).toContain('redirects to http://169.254.169.254, where this mount does not go');
    });

    test('a bucket in another region than the mount names is found there', async () => {
      const store = await startStore('elsewhere', { region: 'eu-central-1' });
      await cluster.api.mount('/elsewhere', 's3://elsewhere/', store.mountOptions);
      const files = await store.fill(keys(20));
      expect(await load('/elsewhere')).toMatchObject({ state: 'SUCCEEDED', loadedFiles: 21, errorMessage: {} });
      await expectCacheEqualsSource(cluster, files, { others: 'any' });
    });

    test('buckets with names that are not allowed any more can still be mounted', async () => {
      for (const [i, bucket] of ['MyPhotos', 'ab', 'x'.repeat(200), 'tenant:photos', 'my_photos'].entries()) {
        const store = await startStore(bucket);
        await cluster.api.mount(`/named-${i}`, `s3://${bucket}/`, store.mountOptions);
        const files = await store.fill(keys(3));
        expect(await load(`/named-${i}`)).toMatchObject({ state: 'SUCCEEDED', loadedFiles: 4 });
        await expectCacheEqualsSource(cluster, files, { others: 'any' });
      }
    });
  },
);
