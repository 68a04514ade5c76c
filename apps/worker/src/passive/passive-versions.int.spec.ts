import { randomBytes } from 'node:crypto';
import { until } from '#async';
import { bentStores } from '#testing';
import { InProcessCluster, root, type InProcessWorker } from '../spec-support/in-process-workers.js';

/** As much as a download keeps in memory twice over, so that a late reader finds nothing of the beginning there. */
const largeBytes = 9 * 2 ** 20;

describe('reading through a worker from a store with other versions', () => {
  let cluster: InProcessCluster;
  beforeEach(async () => void (cluster = await InProcessCluster.open()));
  afterEach(() => cluster.close());

  const bytesOf = async (response: Response) => Buffer.from(await response.arrayBuffer());
  const untilCached = (worker: InProcessWorker, name: string) => until(() => worker.cache.get(root + name));

  it.each(Object.entries(bentStores))('with %s: whole, by parts, and again from the cache', async (_name, bend) => {
    cluster.s3.validators = bend;
    const worker = await cluster.start();
    for (const [name, size] of [
      ['empty', 0],
      ['small', 1000],
      ['large', 600_000],
    ] as const) {
      const bytes = randomBytes(size);
      await cluster.s3.put('bucket', name, bytes);
      const first = await fetch(worker.url(root + name));
      expect([first.status, first.headers.get('content-length')]).toEqual([200, String(size)]);
      expect((await bytesOf(first)).equals(bytes)).toBe(true);
      await untilCached(worker, name);
      const before = cluster.gets(name);
      const again = await fetch(worker.url(root + name));
      expect(again.headers.get('etag')).toBe(first.headers.get('etag'));
      expect((await bytesOf(again)).equals(bytes)).toBe(true);
      expect(cluster.gets(name)).toBe(before);
      if (size === 0) continue;
      const part = await fetch(worker.url(root + name), { headers: { range: `bytes=${size - 10}-` } });
      expect([part.status, (await bytesOf(part)).equals(bytes.subarray(-10))]).toEqual([206, true]);
    }
  });

  const ignoring = Object.entries(bentStores).filter(([name]) =>
    /ignored|compared|nothing|no time|weak ETags$/.test(name),
  );
  it.each(ignoring)('with %s: a late reader gets one version or an error', async (_name, bend) => {
    cluster.s3.validators = bend;
    // Nothing is kept, so a late reader must request the rest from the store.
    const worker = await cluster.start({ capacityBytes: 2 ** 20 });
    const old = randomBytes(largeBytes);
    await cluster.s3.put('bucket', 'a', old, new Date('2026-01-01T10:00:00Z'));
    const early = (await fetch(worker.url(`${root}a`))).body!.getReader();
    const late = await fetch(worker.url(`${root}a`));
    await cluster.s3.put('bucket', 'a', randomBytes(largeBytes), new Date('2026-01-01T10:00:09Z'));
    const rest = (async () => {
      for (;;) if ((await early.read()).done) return;
    })().catch(() => undefined);
    await rest;
    const got = late.ok ? await bytesOf(late).catch(() => undefined) : undefined;
    expect(got === undefined || got.equals(old)).toBe(true);
  });
});
