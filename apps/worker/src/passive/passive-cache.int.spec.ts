import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { request } from 'undici';
import { until } from '#async';
import { firstTimes, type Fault } from '#testing';
import { InProcessCluster, root, type InProcessWorker } from '../spec-support/in-process-workers.js';

describe('a read of an object that is not cached', () => {
  let cluster: InProcessCluster;
  beforeEach(async () => void (cluster = await InProcessCluster.open()));
  afterEach(() => cluster.close());

  const bytesOf = async (response: Response) => Buffer.from(await response.arrayBuffer());
  const statusOf = async (response: Response) => [response.status, await response.json()] as unknown[];
  const untilCached = (worker: InProcessWorker, name: string) => until(() => worker.cache.get(root + name));

  /** Answers stop after some bytes, until released. */
  function hold(key: string, afterBytes = 100_000) {
    let release!: () => void;
    const until = new Promise<void>((resolve) => (release = resolve));
    let asked = 0;
    cluster.s3.fault = (one): Fault | undefined => {
      if (one.operation !== 'GetObject' || one.key !== key) return undefined;
      asked++;
      return { kind: 'pause', afterBytes, until };
    };
    return { release, asked: () => asked };
  }

  it.each([0, 10, 300_000, 9 * 2 ** 20])('fetches an object of %i bytes, serves it and keeps it', async (size) => {
    const worker = await cluster.start();
    const bytes = randomBytes(size);
    await cluster.s3.put('bucket', 'a', bytes);
    const response = await fetch(worker.url(`${root}a`));
    expect([response.status, response.headers.get('content-length')]).toEqual([200, String(size)]);
    expect((await bytesOf(response)).equals(bytes)).toBe(true);
    const entry = await untilCached(worker, 'a');
    expect(entry).toMatchObject({ sizeBytes: size, replicas: 1 });
    expect(entry.jobId).toBeUndefined();
    expect((await bytesOf(await fetch(worker.url(`${root}a`)))).equals(bytes)).toBe(true);
    expect(cluster.gets('a')).toBe(1);
  });

  it('fetches once for many readers at once, also for late ones and those that want a part', async () => {
    const worker = await cluster.start();
    const bytes = randomBytes(12 * 2 ** 20);
    await cluster.s3.put('bucket', 'a', bytes);
    const { release, asked } = hold('a', 6 * 2 ** 20);
    const early = Array.from({ length: 10 }, () => fetch(worker.url(`${root}a`)).then(bytesOf));
    await until(() => (asked() > 0 ? true : undefined));
    const range = { headers: { range: 'bytes=11000000-11000009' } };
    const part = fetch(worker.url(`${root}a`), range).then(bytesOf);
    release();
    for (const one of await Promise.all(early)) expect(one.equals(bytes)).toBe(true);
    expect((await part).equals(bytes.subarray(11_000_000, 11_000_010))).toBe(true);
    expect((await bytesOf(await fetch(worker.url(`${root}a`)))).equals(bytes)).toBe(true);
    expect(asked()).toBe(1);
  });

  it('finishes an object that it keeps when the reader leaves, and a slow reader holds up no other', async () => {
    const worker = await cluster.start();
    const bytes = randomBytes(24 * 2 ** 20);
    await cluster.s3.put('bucket', 'a', bytes);
    const leaving = await request(worker.url(`${root}a`));
    leaving.body.destroy();
    leaving.body.on('error', () => undefined);
    await untilCached(worker, 'a');

    await cluster.s3.put('bucket', 'b', bytes);
    // Takes nothing until all the others are done.
    const slow = await request(worker.url(`${root}b`));
    const late = fetch(worker.url(`${root}b`), { headers: { range: 'bytes=0-9' } }).then(bytesOf);
    expect((await late).equals(bytes.subarray(0, 10))).toBe(true);
    await untilCached(worker, 'b');
    expect(Buffer.from(await slow.body.arrayBuffer()).equals(bytes)).toBe(true);
    expect(cluster.gets('b')).toBe(1);
  });

  it('redirects to the owner that is online; the owner fetches', async () => {
    const workers = [await cluster.start(), await cluster.start()];
    await cluster.s3.put('bucket', 'a', 'aaaa');
    const path = `${root}a`;
    const [ownerId] = workers[0].services.view.members().ring.owners(path);
    const owner = workers.find(({ workerId }) => workerId === ownerId)!;
    const other = workers.find(({ workerId }) => workerId !== ownerId)!;
    const redirected = await fetch(other.url(path), { redirect: 'manual' });
    expect([redirected.status, redirected.headers.get('location')]).toEqual([307, owner.url(path, '&redirect=false')]);
    expect(await (await fetch(other.url(path))).text()).toBe('aaaa');
    await untilCached(owner, 'a');
    expect(other.names()).toEqual([]);
    // Cached here, it is served whatever the ring says.
    await other.put('a', 'copy');
    expect(await (await fetch(other.url(path), { redirect: 'error' })).text()).toBe('copy');
  });

  it('serves without keeping when told not to redirect, and keeps it while the owner is offline', async () => {
    const workers = [await cluster.start(), await cluster.start()];
    const bytes = randomBytes(9 * 2 ** 20);
    await cluster.s3.put('bucket', 'a', bytes);
    const path = `${root}a`;
    const [ownerId] = workers[0].services.view.members().ring.owners(path);
    const other = workers.find(({ workerId }) => workerId !== ownerId)!;
    expect((await bytesOf(await fetch(other.url(path, '&redirect=false')))).equals(bytes)).toBe(true);
    expect(other.names()).toEqual([]);
    cluster.membership({ type: 'WorkerWentOffline', data: { workerId: ownerId, bootId: ownerId } });
    expect((await bytesOf(await fetch(other.url(path)))).equals(bytes)).toBe(true);
    await untilCached(other, 'a');
  });

  it('fetches nothing for a peer, nor outside every mount', async () => {
    const worker = await cluster.start();
    await cluster.s3.put('bucket', 'a', 'aaaa');
    expect((await fetch(worker.url(`${root}a`, '&cachedOnly=true'))).status).toBe(404);
    expect((await fetch(worker.url('s3://other/a'))).status).toBe(404);
    expect((await fetch(worker.url(`${root}a`, '&cachedOnly=maybe'))).status).toBe(400);
    expect(cluster.s3.requests).toEqual([]);
  });

  it('answers HEAD from the UFS without fetching', async () => {
    const worker = await cluster.start();
    await cluster.s3.put('bucket', 'a', 'aaaa');
    const response = await fetch(worker.url(`${root}a`), { method: 'HEAD' });
    expect([response.status, response.headers.get('content-length')]).toEqual([200, '4']);
    expect(cluster.gets('a')).toBe(0);
  });

  it.each<[string, Fault | undefined, number]>([
    ['404 where the UFS has no such object', undefined, 404],
    ['403 where it forbids', { kind: 'status', status: 403, code: 'AccessDenied' }, 403],
    ['502 where it fails', { kind: 'status', status: 500, code: 'InternalError' }, 502],
    ['502 where it breaks the connection', { kind: 'reset' }, 502],
  ])('answers %s', async (_what, fault, status) => {
    const worker = await cluster.start();
    cluster.s3.fault = () => fault;
    const [got, body] = await statusOf(await fetch(worker.url(`${root}a`)));
    expect([got, Object.keys(body as object)]).toEqual([status, ['status']]);
    expect(worker.names()).toEqual([]);
  });

  it('passes on that the UFS asks to slow down, and sends it no request until then', async () => {
    const worker = await cluster.start();
    const headers = { 'retry-after': '60' };
    cluster.s3.fault = () => ({ kind: 'status', status: 503, headers });
    for (const name of ['a', 'b', 'c']) {
      const answer = await fetch(worker.url(`${root}${name}`));
      expect(answer.status).toBe(503);
      // With the jitter of our own.
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(55);
      expect(Number(answer.headers.get('retry-after'))).toBeLessThanOrEqual(66);
    }
    expect(cluster.gets('a') + cluster.gets('b') + cluster.gets('c')).toBe(1);
  });

  it('waits for a UFS that is back soon', async () => {
    const worker = await cluster.start();
    await cluster.s3.put('bucket', 'a', 'aaaa');
    cluster.s3.fault = firstTimes(2, { kind: 'status', status: 503 }, () => true);
    expect(await (await fetch(worker.url(`${root}a`))).text()).toBe('aaaa');
  });

  it('answers 504 when the UFS does not answer', async () => {
    const settings = { LARDER_UFS_IDLE_TIMEOUT_MS: '200', LARDER_MAX_ATTEMPTS: '1' };
    const worker = await cluster.start({ settings });
    cluster.s3.fault = () => ({ kind: 'hang' });
    expect((await fetch(worker.url(`${root}a`))).status).toBe(504);
  });

  it('answers 502 when the UFS breaks off before the first byte was passed on', async () => {
    const worker = await cluster.start();
    await cluster.s3.put('bucket', 'a', randomBytes(2 ** 20));
    cluster.s3.fault = () => ({ kind: 'truncate', afterBytes: 10, how: 'end' });
    const [status, body] = await statusOf(await fetch(worker.url(`${root}a`)));
    expect([status, Object.keys(body as object)]).toEqual([502, ['status']]);
    expect(worker.names()).toEqual([]);
  });

  it.each(['end', 'reset'] as const)('fault 10: breaks off when the UFS does (%s), and keeps nothing', async (how) => {
    const worker = await cluster.start();
    await cluster.s3.put('bucket', 'a', randomBytes(9 * 2 ** 20));
    cluster.s3.fault = () => ({ kind: 'truncate', afterBytes: 8 * 2 ** 20, how });
    await expect(fetch(worker.url(`${root}a`)).then(bytesOf)).rejects.toThrow();
    expect(worker.names()).toEqual([]);
    cluster.s3.fault = undefined;
    expect((await bytesOf(await fetch(worker.url(`${root}a`)))).length).toBe(9 * 2 ** 20);
  });

  it('serves the reader when the cache has no room', async () => {
    const worker = await cluster.start({ capacityBytes: 2 ** 20 });
    const bytes = randomBytes(9 * 2 ** 20);
    await cluster.s3.put('bucket', 'a', bytes);
    const [one, other] = await Promise.all([1, 2].map(() => fetch(worker.url(`${root}a`)).then(bytesOf)));
    expect(one.equals(bytes) && other.equals(bytes)).toBe(true);
    expect(worker.names()).toEqual([]);
  });

  it.each([
    ['keeps an object that a quota has room for', () => Promise.resolve({ granted: true }), ['a']],
    ['does not keep an object that a quota has no room for', () => Promise.resolve({ granted: false }), []],
    ['does not keep an object when its claim gets no answer', undefined, []],
  ])('%s', async (_what, answer, kept) => {
    const worker = await cluster.start();
    const asked: unknown[] = [];
    if (answer) {
      worker.services.claims.connect((ask) => {
        asked.push(ask);
        return answer();
      });
    }
    cluster.namespace({ type: 'QuotaSet', data: { path: '/data/dir', quotaBytes: 1 } });
    await cluster.s3.put('bucket', 'a', 'aaaa');
    await cluster.s3.put('bucket', 'dir/a', 'bbbb');
    expect(await (await fetch(worker.url(`${root}dir/a`))).text()).toBe('bbbb');
    expect(await (await fetch(worker.url(`${root}a`))).text()).toBe('aaaa');
    await untilCached(worker, 'a');
    expect(worker.names()).toEqual(kept.length > 0 ? ['a', 'dir/a'] : ['a']);
    expect(asked).toEqual(
      answer ? [{ workerId: 'worker-1', id: expect.any(String) as string, path: `${root}dir/a`, bytes: 4 }] : [],
    );
  });

  it('follows a slow single reader without buffering when nothing is kept', async () => {
    const worker = await cluster.start({ capacityBytes: 2 ** 20 });
    cluster.s3.generate('bucket', 'a', 64 * 2 ** 20, 1);
    const { body } = await request(worker.url(`${root}a`));
    let received = 0;
    for await (const chunk of body as AsyncIterable<Buffer>) {
      received += chunk.length;
      if (received < 2 ** 20) await delay(1);
      // What has left the UFS lies between here and there in buffers of a fixed size.
      expect(cluster.s3.bytesSent - received).toBeLessThan(32 * 2 ** 20);
    }
    expect(received).toBe(64 * 2 ** 20);
  });
});
