import {
  clusterSuite,
  content,
  expectCacheEqualsSource,
  type FaultHook,
  keys,
  type LoadProgress,
  sha256,
  sizeOf,
  type SourceFile,
} from '#testing';
import { expectCountsToAddUp, expectProgressToGrow } from '../support/counts.js';

type Fault = NonNullable<ReturnType<FaultHook>>;

const maxAttempts = 3;
const large = 600_000;

clusterSuite(
  'faults of an object store during a load',
  {
    env: {
      LARDER_RETRY_BASE_MS: '20',
      LARDER_RETRY_MAX_MS: '100',
      LARDER_MAX_ATTEMPTS: String(maxAttempts),
      LARDER_UFS_IDLE_TIMEOUT_MS: '1000',
    },
    testTimeoutMs: 60_000,
  },
  ({ cluster, s3, test }) => {
    /** Reads of these keys fail this many times each. */
    function misbehave(bucket: string, faults: Record<string, { times: number; fault: Fault }>): void {
      const seen = new Map<string, number>();
      s3.faults.set(bucket, ({ operation, key }) => {
        const wrong = operation === 'GetObject' ? faults[key] : undefined;
        if (wrong === undefined) return undefined;
        const times = (seen.get(key) ?? 0) + 1;
        seen.set(key, times);
        return times <= wrong.times ? wrong.fault : undefined;
      });
    }

    async function load(bucket: string): Promise<LoadProgress> {
      const id = await cluster.api.load({ paths: [`/${bucket}`] });
      return cluster.api.waitForJob(id, { seen: expectProgressToGrow() });
    }

    /** Checks that exactly these keys fail, each with a reason, and that the cache holds all others. */
    async function expectFailures(
      bucket: string,
      files: readonly SourceFile[],
      reasons: Record<string, { reason: RegExp; attempts?: number }>,
    ): Promise<LoadProgress> {
      const done = await load(bucket);
      const failed = Object.keys(reasons).length;
      expect(done).toMatchObject({ state: 'FAILED', failedFiles: failed, loadedFiles: files.length - failed });
      expectCountsToAddUp(done, { files: files.length, bytes: sizeOf(files) });
      expect(done.errorMessage.message).toContain(`${failed} of ${files.length} files`);
      const failures = await cluster.api.failedFiles(done.id);
      const byPath = new Map(failures.map((failure) => [failure.path, failure]));
      expect([...byPath.keys()].sort()).toEqual(
        Object.keys(reasons)
          .map((key) => `s3://${bucket}/${key}`)
          .sort(),
      );
      for (const [key, { reason, attempts }] of Object.entries(reasons)) {
        const failure = byPath.get(`s3://${bucket}/${key}`);
        expect(failure?.reason).toMatch(reason);
        if (attempts !== undefined) expect(failure?.attempts).toBe(attempts);
      }
      const good = files.filter(({ path }) => !byPath.has(path));
      await expectCacheEqualsSource(cluster, good, { others: 'any' });
      for (const path of byPath.keys()) expect(await cluster.readObject(path)).toBeUndefined();
      return done;
    }

    const status = (code: number, name?: string): Fault => ({ kind: 'status', status: code, code: name });

    test('fault 8: retries 500, 503 and SlowDown, and names files that still fail after the maximum of attempts', async () => {
      const odd = ['once500', 'once503', 'slowdown', 'always500', 'always503'];
      const files = await s3.bucket(cluster, 'errors', [...keys(50), ...odd]);
      misbehave('errors', {
        once500: { times: 1, fault: status(500) },
        once503: { times: 2, fault: status(503, 'ServiceUnavailable') },
        slowdown: { times: 2, fault: status(503, 'SlowDown') },
        always500: { times: Infinity, fault: status(500) },
        always503: { times: Infinity, fault: status(503) },
      });
      await expectFailures('errors', files, {
        always500: { reason: /500/, attempts: maxAttempts },
        always503: { reason: /503|SlowDown/, attempts: maxAttempts },
      });
      expect(s3.reads('errors').filter(({ key }) => key === 'always500')).toHaveLength(maxAttempts);
    });

    test('fault 8: reads a listing with occasional errors to its end', async () => {
      const files = await s3.bucket(cluster, 'listing', keys(2500), 10);
      let listings = 0;
      s3.faults.set('listing', ({ operation }) =>
        operation === 'ListObjectsV2' && listings++ % 2 === 0 ? status(503) : undefined,
      );
      const done = await load('listing');
      expect(done).toMatchObject({ state: 'SUCCEEDED', loadedFiles: 2500, errorMessage: {} });
      await expectCacheEqualsSource(cluster, files, { others: 'any' });
    });

    test('fault 8: a listing that breaks off ends the job as FAILED with the reason, also after files were loaded', async () => {
      await s3.bucket(cluster, 'unlistable', keys(1500), 10);
      s3.faults.set('unlistable', ({ operation, query }) =>
        operation === 'ListObjectsV2' && /continuation-token|start-after/.test(query.toString())
          ? status(500)
          : undefined,
      );
      const done = await load('unlistable');
      expect(done).toMatchObject({ state: 'FAILED', loadedFiles: 1000, failedFiles: 0 });
      expect(done.errorMessage.message).toMatch(/500/);
      expectCountsToAddUp(done, { files: 1000, bytes: 10_000 });
    });

    test('fault 9: gives a hanging read up after the idle timeout, without delaying other reads', async () => {
      const files = await s3.bucket(cluster, 'hangs', [...keys(100), 'once', 'always']);
      files.push(await s3.put('hangs', 'stalls', content('stalls', large)));
      misbehave('hangs', {
        once: { times: 1, fault: { kind: 'hang' } },
        always: { times: Infinity, fault: { kind: 'hang' } },
        stalls: { times: 1, fault: { kind: 'pause', afterBytes: 100_000 } },
      });
      await expectFailures('hangs', files, { always: { reason: /1000 ms|silent|idle|time/i, attempts: maxAttempts } });
    });

    test('fault 10: never publishes an object that is cut short or of a wrong length', async () => {
      const cut = ['cut-once', 'reset-once', 'longer-once', 'cut-always', 'reset-always'];
      const files = await s3.bucket(cluster, 'truncated', [...keys(30), ...cut]);
      files.push(await s3.put('truncated', 'large-once', content('l1', large)));
      files.push(await s3.put('truncated', 'large-always', content('l2', large)));
      const end: Fault = { kind: 'truncate', afterBytes: 500, how: 'end' };
      const reset: Fault = { kind: 'truncate', afterBytes: 500, how: 'reset' };
      misbehave('truncated', {
        'cut-once': { times: 1, fault: end },
        'reset-once': { times: 2, fault: reset },
        'longer-once': { times: 1, fault: { kind: 'length', offBy: 7 } },
        'cut-always': { times: Infinity, fault: end },
        'reset-always': { times: Infinity, fault: reset },
        'large-once': { times: 1, fault: { ...end, afterBytes: large - 1 } },
        'large-always': { times: Infinity, fault: { ...end, afterBytes: large - 1 } },
      });
      await expectFailures('truncated', files, {
        'cut-always': { reason: /./, attempts: maxAttempts },
        'reset-always': { reason: /./, attempts: maxAttempts },
        'large-always': { reason: /./, attempts: maxAttempts },
      });
    });

    test('fault 11: loads an object that is replaced during the read completely in its new version', async () => {
      const files = await s3.bucket(cluster, 'replaced', keys(20));
      const old = await s3.put('replaced', 'z/large', content('old', large));
      const bytes = content('new', large + 5);
      let reads = 0;
      s3.faults.set('replaced', ({ operation, key }) => {
        if (operation !== 'GetObject' || key !== 'z/large' || ++reads > 1) return undefined;
        // Half of the old bytes are on their way when the object is replaced.
        void s3.put('replaced', key, bytes);
        return { kind: 'truncate', afterBytes: large / 2, how: 'reset' };
      });
      const done = await load('replaced');
      expect(done).toMatchObject({ state: 'SUCCEEDED', loadedFiles: 21 });
      const fresh = { ...old, sizeBytes: bytes.length, sha256: sha256(bytes) };
      await expectCacheEqualsSource(cluster, [...files, fresh], { others: 'any' });
    });

    test('fault 11: an object whose ETag changes on every read fails by name and is never mixed', async () => {
      const files = await s3.bucket(cluster, 'restless', [...keys(20), 'once', 'always']);
      misbehave('restless', {
        once: { times: 1, fault: { kind: 'etag', etag: 'other' } },
        always: { times: Infinity, fault: { kind: 'etag', etag: 'other' } },
      });
      await expectFailures('restless', files, { always: { reason: /chang/i, attempts: maxAttempts } });
    });

    test('403 and 404 fail one file by name, without a retry', async () => {
      const files = await s3.bucket(cluster, 'refused', [...keys(20), 'forbidden', 'vanished']);
      s3.faults.set('refused', ({ operation, key }) => {
        if (operation !== 'GetObject') return undefined;
        if (key === 'forbidden') return status(403, 'AccessDenied');
        // The object is in the listing and is deleted before the read.
        if (key === 'vanished') void s3.server.delete('refused', key);
        return undefined;
      });
      await expectFailures('refused', files, {
        forbidden: { reason: /403|denied|AccessDenied/i },
        vanished: { reason: /gone|404|NoSuchKey/i },
      });
      const reads = s3.reads('refused').filter(({ key }) => key === 'forbidden' || key === 'vanished');
      expect(reads).toHaveLength(2);
    });

    test('a missing bucket fails the job with the reason', async () => {
      await cluster.api.mount('/nowhere', 's3://no-such-bucket/', s3.mountOptions);
      const done = await load('nowhere');
      expect(done).toMatchObject({ state: 'FAILED', scannedFiles: 1, failedFiles: 1 });
      const [failure] = await cluster.api.failedFiles(done.id);
      expect(failure).toMatchObject({
        path: 's3://no-such-bucket/',
        reason: expect.stringMatching(/bucket/i) as string,
      });
      expect(done.errorMessage.message).toMatch(/bucket/i);
    });
  },
);
