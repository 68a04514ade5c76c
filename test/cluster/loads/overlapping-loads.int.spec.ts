import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { clusterSuite, eventually, expectCacheEqualsSource, Gate, keys, sizeOf, type SourceFile } from '#testing';
import { expectCountsToAddUp } from '../support/counts.js';

const MiB = 1024 * 1024;

/** One worker with room for 15 or 16 files of a mebibyte. */
clusterSuite(
  'two concurrent loads in a cache that cannot hold both',
  { workers: 1, env: { LARDER_CACHE_BYTES: String(16 * MiB) }, clusterPer: 'test' },
  ({ cluster, s3, test }) => {
    const load = (path: string, options = {}): Promise<string> => cluster.api.load({ paths: [path], options });

    /** Jobs for which the worker keeps files. */
    const keptFor = (): string[] =>
      JSON.parse(readFileSync(join(cluster.workers[0].cacheDir, 'keeps.json'), 'utf8')) as string[];
    const untilNothingIsKept = () => eventually('the worker keeps no file for any job', () => keptFor().length === 0);

    async function failuresOf(id: string): Promise<{ failed: Set<string>; reasons: string[] }> {
      const failures = await cluster.api.failedFiles(id);
      return { failed: new Set(failures.map(({ path }) => path)), reasons: failures.map(({ reason }) => reason) };
    }

    const without = (files: SourceFile[], failed: Set<string>) => files.filter(({ path }) => !failed.has(path));

    /** Starts a load that has all its files in the cache except the last one, which it waits for. */
    async function almostDone(bucket: string, count: number) {
      const files = await s3.bucket(cluster, bucket, keys(count), MiB);
      const gate = new Gate(0);
      const last = keys(count).at(-1);
      s3.faults.set(bucket, (request) => (request.key === last ? gate.fault(request) : undefined));
      const id = await load(`/${bucket}`);
      await eventually('all but one file are cached', async () => {
        const copies = await Promise.all(files.map(({ path }) => cluster.readCopies(path, 1)));
        return copies.flat().length === count - 1;
      });
      return { files, gate, id };
    }

    test('neither load evicts files of the other, whatever its priority, and the reason names the job that keeps them', async () => {
      const first = await almostDone('first', 10);
      const files = await s3.bucket(cluster, 'second', keys(10), MiB);
      await cluster.api.request('POST', '/priority', { body: { path: '/second', priority: 'HIGH' } });
      const second = await load('/second');
      const { state, ...counts } = await cluster.api.waitForJob(second);
      expect(state).toBe('FAILED');
      expectCountsToAddUp({ state, ...counts }, { files: 10, bytes: sizeOf(files) });
      expect(counts.loadedFiles).toBeGreaterThanOrEqual(5);
      const { failed, reasons } = await failuresOf(second);
      expect(failed.size).toBe(counts.failedFiles);
      for (const reason of reasons) expect(reason).toContain(`kept for running jobs: ${first.id}`);
      await expectCacheEqualsSource(cluster, without(files, failed), { others: 'any' });

      first.gate.open();
      expect(await cluster.api.waitForJob(first.id)).toMatchObject({ state: 'SUCCEEDED', loadedFiles: 10 });
      await expectCacheEqualsSource(cluster, first.files, { others: 'any' });

      // Both jobs have ended, so they keep no file from the next job, not even for a moment.
      expect(await cluster.api.waitForJob(await load('/second'))).toMatchObject({ state: 'SUCCEEDED' });
      await expectCacheEqualsSource(cluster, files, { others: 'any' });
      await untilNothingIsKept();
    });

    test('a file that several loads need stays until the last of them has ended', async () => {
      const first = await almostDone('both', 10);
      // One load skips the same files and another loads them again. Both end while the first still runs.
      const options = [{ skipIfExists: true }, {}];
      for (const [i, option] of options.entries()) {
        const done = await cluster.api.waitForJob(await load(`/both/f/0000${i}`, option));
        expect(done).toMatchObject({ state: 'SUCCEEDED' });
      }
      await s3.bucket(cluster, 'greedy', keys(20), MiB);
      const greedy = await cluster.api.waitForJob(await load('/greedy'));
      expect(greedy.state).toBe('FAILED');
      first.gate.open();
      expect(await cluster.api.waitForJob(first.id)).toMatchObject({ state: 'SUCCEEDED', loadedFiles: 10 });
      await expectCacheEqualsSource(cluster, first.files, { others: 'any' });
      await untilNothingIsKept();
    });

    test('a restarted worker still keeps the files of running jobs, and releases those of jobs that have ended', async () => {
      const first = await almostDone('kept', 10);
      const [worker] = cluster.workers;
      await worker.process.restart();
      await cluster.untilListed(worker);
      const files = await s3.bucket(cluster, 'next', keys(12), MiB);
      const next = await cluster.api.waitForJob(await load('/next'));
      expect(next.state).toBe('FAILED');
      const { reasons } = await failuresOf(next.id);
      for (const reason of reasons) expect(reason).toContain(first.id);

      // The worker is down when the job ends.
      await worker.process.kill9();
      await cluster.api.request('DELETE', '/load', { body: { id: first.id } });
      await eventually('the job is stopped', async () => (await cluster.api.progress(first.id)).state === 'STOPPED');
      expect(keptFor()).toContain(first.id);
      first.gate.open();
      await worker.process.start();
      await cluster.untilListed(worker);
      await untilNothingIsKept();
      expect(await cluster.api.waitForJob(await load('/next'))).toMatchObject({ state: 'SUCCEEDED' });
      await expectCacheEqualsSource(cluster, files, { others: 'any' });
    });
  },
);
