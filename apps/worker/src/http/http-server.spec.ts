import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, open, readdir, rm, stat } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { openCacheStore, type CacheStore } from '#cache-store';
import { loadConfig } from '#config';
import type { Commit } from '#kernel';
import { pino } from 'pino';
import { KnownHosts } from '#runtime';
import { CacheStores } from '../stores/cache-stores.js';
import { WorkerServices } from '../worker-services.js';
import { startHttpServer, type HttpServer } from './http-server.js';

describe('the worker’s read path', () => {
  let directory: string;
  let cache: CacheStore;
  let server: HttpServer;
  let notReady: string | undefined;

  beforeAll(async () => {
    directory = await mkdtemp(path.join(tmpdir(), 'larder-http-'));
    cache = await openCacheStore({ directory, capacityBytes: 64 * 2 ** 20 });
    const hosts = new KnownHosts({ listenHost: '127.0.0.1', hostnames: undefined });
    const env = {
      LARDER_NATS_URL: 'nats://127.0.0.1:1',
      LARDER_SECRET_KEYS: `k1:${Buffer.alloc(32).toString('base64')}`,
    };
    const silent = pino({ level: 'silent' });
    const stores = await CacheStores.open(directory, silent);
    const disk = { copies: cache, stores };
    const services = new WorkerServices(loadConfig(env, 'worker'), 'worker-1', disk, silent);
    const mounted = [
      ['/data/', 's3://bucket/'],
      ['/files/', 'file:///'],
    ];
    mounted.forEach(([at, ufs], i) => {
      const event = { type: 'Mounted', data: { path: at, ufs, options: {} } };
      services.view.evolve({ boundary: 'namespace', sequence: i + 1, events: [event] } as unknown as Commit);
    });
    await services.noteRead();
    server = await startHttpServer({
      ...{
        host: '127.0.0.1',
        port: 0,
        cache: services.cache,
        unmounted: services.unmounted,
        fileIndex: true,
        readiness: () => ({ missing: notReady }),
        logger: silent,
        hosts,
      },
      ...{ view: services.view, passive: services.passive },
      ...{ remover: services.remover, clearStale: services.clearStale, quotaTrimmer: services.quotaTrimmer },
    });
  });
  afterAll(async () => {
    await server.close();
    await cache.close();
    await rm(directory, { recursive: true, force: true });
  });
  beforeEach(() => void (notReady = undefined));

  const url = (ufsPath: string) => `http://127.0.0.1:${server.port}/v1/objects?path=${encodeURIComponent(ufsPath)}`;
  const get = (ufsPath: string, headers: Record<string, string> = {}, method = 'GET') =>
    fetch(url(ufsPath), { headers, method });
  const bytesOf = async (response: Response) => Buffer.from(await response.arrayBuffer());

  it('serves a small and a large object whole', async () => {
    const large = randomBytes(5 * 2 ** 20 + 11);
    await cache.put({ path: 's3://bucket/small', version: 'v1' }, Buffer.from('0123456789'));
    await cache.put({ path: 's3://bucket/large', version: 'v2' }, large);
    const response = await get('s3://bucket/small');
    expect(response.status).toBe(200);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-length': '10',
      'content-type': 'application/octet-stream',
      'accept-ranges': 'bytes',
      etag: '"v1"',
    });
    expect(await response.text()).toBe('0123456789');
    const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
    expect(sha256(await bytesOf(await get('s3://bucket/large')))).toBe(sha256(large));
  });

  it('serves an empty object', async () => {
    await cache.put({ path: 's3://bucket/empty', version: 'v0' }, Buffer.alloc(0));
    const response = await get('s3://bucket/empty');
    expect([response.status, response.headers.get('content-length'), await response.text()]).toEqual([200, '0', '']);
    expect((await get('s3://bucket/empty', { range: 'bytes=0-' })).status).toBe(416);
  });

  it.each([
    ['bytes=2-4', 'bytes 2-4/10', '234'],
    ['bytes=7-', 'bytes 7-9/10', '789'],
    ['bytes=-2', 'bytes 8-9/10', '89'],
    ['bytes=0-99', 'bytes 0-9/10', '0123456789'],
  ])('answers %s with that part', async (range, contentRange, body) => {
    await cache.put({ path: 's3://bucket/r', version: 'v1' }, Buffer.from('0123456789'));
    const response = await get('s3://bucket/r', { range });
    expect(response.status).toBe(206);
    expect(response.headers.get('content-range')).toBe(contentRange);
    expect(response.headers.get('content-length')).toBe(String(body.length));
    expect(await response.text()).toBe(body);
  });

  it('refuses a range beyond the end with 416 and the size', async () => {
    await cache.put({ path: 's3://bucket/r', version: 'v1' }, Buffer.from('0123456789'));
    const response = await get('s3://bucket/r', { range: 'bytes=10-' });
    expect([response.status, response.headers.get('content-range')]).toEqual([416, 'bytes */10']);
    expect(await response.json()).toEqual({ status: expect.stringContaining('10 bytes') as string });
  });

  it('respects If-None-Match and If-Range', async () => {
    await cache.put({ path: 's3://bucket/c', version: 'v1' }, Buffer.from('0123456789'));
    const unchanged = await get('s3://bucket/c', { 'if-none-match': '"v1"' });
    expect([unchanged.status, unchanged.headers.get('etag'), await unchanged.text()]).toEqual([304, '"v1"', '']);
    expect((await get('s3://bucket/c', { 'if-none-match': '"v0"' })).status).toBe(200);
    expect((await get('s3://bucket/c', { range: 'bytes=0-1', 'if-range': '"v1"' })).status).toBe(206);
    expect((await get('s3://bucket/c', { range: 'bytes=0-1', 'if-range': '"v0"' })).status).toBe(200);
  });

  it('answers HEAD with headers only', async () => {
    await cache.put({ path: 's3://bucket/h', version: 'v1' }, Buffer.from('0123456789'));
    const whole = await get('s3://bucket/h', {}, 'HEAD');
    expect([whole.status, whole.headers.get('content-length'), await whole.text()]).toEqual([200, '10', '']);
    const part = await get('s3://bucket/h', { range: 'bytes=1-3' }, 'HEAD');
    expect([part.status, part.headers.get('content-length')]).toEqual([206, '3']);
    const absent = await fetch(`${url('s3://bucket/none')}&cachedOnly=true`, { method: 'HEAD' });
    expect(absent.status).toBe(404);
  });

  it('says when an object is not cached, or only its metadata is', async () => {
    const absent = await fetch(`${url('s3://bucket/none')}&cachedOnly=true`);
    expect([absent.status, await absent.json()]).toEqual([
      404,
      { status: 'not cached by this worker: s3://bucket/none' },
    ]);
    await cache.putMetadata({ path: 's3://bucket/meta', version: 'v1' }, 5);
    const metadata = await fetch(`${url('s3://bucket/meta')}&cachedOnly=true`);
    expect([metadata.status, await metadata.json()]).toEqual([
      404,
      { status: 'only its size and version are cached: s3://bucket/meta' },
    ]);
  });

  it('fault 20: distinguishes keys that differ only in their encoding', async () => {
    const keys = ['a%2Fb', 'a/b', 'a+b', 'a b', 'a%20b', '\u00e9', 'e\u0301', '🎈', 'dir/', 'x&path=y', 'x#y'];
    for (const key of keys) await cache.put({ path: `s3://bucket/${key}`, version: 'v' }, Buffer.from(`is ${key}`));
    for (const key of keys) expect(await (await get(`s3://bucket/${key}`)).text()).toBe(`is ${key}`);
  });

  it.each([
    ['/v1/objects', 400, 'Required parameters not provided'],
    ['/v1/objects?path=s3://bucket/../x', 400, "'..'"],
    ['/v1/objects?path=%FF', 400, 'UTF-8'],
    ['/v1/objects?path=http://host/x', 400, 'http'],
    ['/v1/nothing', 404, 'no such route'],
    ['/%zz', 400, 'a %'],
  ])('fault 17: answers %s with %i and an error', async (target, status, text) => {
    const response = await fetch(`http://127.0.0.1:${server.port}${target}`);
    expect([response.status, Object.keys((await response.clone().json()) as object)]).toEqual([status, ['status']]);
    expect(((await response.json()) as { status: string }).status).toContain(text);
  });

  it('refuses other methods and broken HTTP with an error of the same shape', async () => {
    const response = await get('s3://bucket/x', {}, 'DELETE');
    expect([response.status, Object.keys((await response.json()) as object)]).toEqual([405, ['status']]);
    const raw = await new Promise<string>((resolve, reject) => {
      const socket = connect(server.port, '127.0.0.1', () => socket.write('BROKEN\r\n\r\n'));
      let answer = '';
      socket.on('data', (chunk) => (answer += String(chunk)));
      socket.on('close', () => resolve(answer));
      socket.on('error', reject);
    });
    expect(raw).toMatch(/^HTTP\/1\.1 400 /);
    expect(Object.keys(JSON.parse(raw.slice(raw.indexOf('\r\n\r\n'))) as object)).toEqual(['status']);
  });

  it('breaks an answer off when the bytes on disk are not those that were stored', async () => {
    await cache.put({ path: 's3://bucket/rot', version: 'v1' }, randomBytes(3 * 2 ** 20));
    await flipBit(path.join(directory, 'objects'));
    await expect(get('s3://bucket/rot').then(bytesOf)).rejects.toThrow();
  });

  it('tells whether it is alive and ready', async () => {
    const base = `http://127.0.0.1:${server.port}`;
    expect(await (await fetch(`${base}/healthz`)).json()).toEqual({ status: 'alive' });
    expect((await fetch(`${base}/readyz`)).status).toBe(200);
    notReady = 'waiting for NATS';
    const response = await fetch(`${base}/readyz`);
    expect([response.status, await response.json()]).toEqual([503, { status: 'waiting for NATS' }]);
    expect((await fetch(`${base}/healthz`)).status).toBe(200);
  });
});

/** Damages the one object of 3 MiB. */
async function flipBit(objects: string): Promise<void> {
  const entries = await readdir(objects, { recursive: true, withFileTypes: true });
  for (const entry of entries.filter((one) => one.isFile())) {
    const name = path.join(entry.parentPath, entry.name);
    if ((await stat(name)).size !== 3 * 2 ** 20) continue;
    const file = await open(name, 'r+');
    const byte = Buffer.alloc(1);
    await file.read(byte, 0, 1, 2 ** 20);
    await file.write(Buffer.from([byte[0] ^ 1]), 0, 1, 2 ** 20);
    await file.close();
  }
}
