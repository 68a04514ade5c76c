import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { clusterSuite, expectCacheEqualsSource, keys } from '#testing';

const nobody = 65534;
const isRoot = process.getuid?.() === 0;

clusterSuite('the files of a worker', { workers: 1 }, ({ cluster, s3 }) => {
  beforeAll(() => {
    // The parent directory is open to all, like that of a real cache. Only the worker's own modes protect the files.
    chmodSync(cluster.directory, 0o755);
  });

  /** Files below a directory that another user of the machine can read. */
  function readableByOthers(directory: string): string[] {
    if (!isRoot) return openTo(directory, 0o077);
    const find = ['find', directory, '-type', 'f', '-exec', 'head', '-c1', '{}', ';', '-print'];
    const { stdout, error } = spawnSync(find[0], find.slice(1), { uid: nobody, gid: nobody, encoding: 'latin1' });
    if (error) throw error;
    return stdout.split('\n').filter((line) => line !== '');
  }

  /** Files whose mode matches the mask, without a closed directory above them. */
  function openTo(directory: string, mask: number): string[] {
    if ((statSync(directory).mode & mask) === 0) return [];
    return readdirSync(directory, { withFileTypes: true }).flatMap((item) => {
      const path = join(directory, item.name);
      if (item.isDirectory()) return openTo(path, mask);
      return statSync(path).mode & mask ? [path] : [];
    });
  }

  /** Every mode below a directory that gives access to others than the owner. */
  const openModes = (directory: string): string[] =>
    [
      directory,
      ...readdirSync(directory, { recursive: true, encoding: 'utf8' }).map((name) => join(directory, name)),
    ].filter((path) => statSync(path).mode & 0o077);

  it(
    'cannot be read by other users of the machine, also if an earlier version left them open',
    () =>
      cluster.watch(async () => {
        const [worker] = cluster.workers;
        const small = await s3.bucket(cluster, 'small', keys(50), 1000);
        const large = await s3.bucket(cluster, 'large', keys(3), 1_000_000);
        const options = { skipIfExists: true };
        const load = async () => {
          const done = await cluster.api.waitForJob(await cluster.api.load({ paths: ['/small', '/large'], options }));
          expect(done.state).toBe('SUCCEEDED');
        };
        await load();
        expect(openModes(worker.cacheDir)).toEqual([]);
        expect(readableByOthers(worker.cacheDir)).toEqual([]);

        await worker.process.stop();
        // Caches of earlier versions have these modes.
        execFileSync('chmod', ['-R', 'u=rwX,go=rX', worker.cacheDir]);
        expect(readableByOthers(worker.cacheDir).length).toBeGreaterThan(4);
        await worker.process.start();
        await cluster.untilListed(worker);
        expect(readableByOthers(worker.cacheDir)).toEqual([]);
        await load();
        await expectCacheEqualsSource(cluster, [...small, ...large]);
      }),
    90_000,
  );

  it(
    'stay closed in a shared directory, whose own mode does not change',
    () =>
      cluster.watch(async () => {
        const [worker] = cluster.workers;
        await worker.process.stop();
        execFileSync('chmod', ['-R', 'u=rwX,go=rX', worker.cacheDir]);
        const others = join(worker.cacheDir, 'somebody-elses');
        writeFileSync(others, 'theirs', { mode: 0o644 });
        await worker.process.start();
        expect(statSync(worker.cacheDir).mode & 0o777).toBe(0o755);
        const readable = readableByOthers(worker.cacheDir).map((line) => line.replace(/^.*(?=\/tmp)/, ''));
        expect(readable.filter((line) => !line.includes('somebody-elses'))).toEqual([]);
        expect(readable).toHaveLength(1);
        expect(worker.process.log()).toContain('not closed to other users');
      }),
    60_000,
  );
});
