import { once } from 'node:events';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { inspect } from 'node:util';
import { S3TestServer, firstTimes, generatedContent, type Fault } from '#testing';
import { withRetries } from '../retry.js';
import { UfsError, type UfsErrorCode } from '../types.js';
import { S3Connector } from './s3-connector.js';

const tuning = { idleTimeoutMs: 150, connectTimeoutMs: 500, maxConnections: 4 };
const canary = 'canary/secret+42';
const policy = { attempts: 4, baseDelayMs: 1, maxDelayMs: 4 };
const object = 's3://b/dir/object';
const sizeBytes = 300_000;

async function collect(body: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function errorOf(attempt: Promise<unknown>): Promise<UfsError> {
  const error: unknown = await attempt.then(
    () => new Error('it succeeded'),
    (reason: unknown) => reason,
  );
  if (!(error instanceof UfsError)) throw error;
  expect(error.message).toMatch(/^[A-Z].*\.$/s);
  expect(inspect(error, { depth: 8, showHidden: true })).not.toContain(canary);
  expect(inspect(error, { depth: 8, showHidden: true })).not.toContain('Signature=');
  return error;
}

const errorsOf = (attempts: Promise<unknown>[]): Promise<UfsError[]> => Promise.all(attempts.map(errorOf));

describe('S3Connector and a server that fails', () => {
  const server = new S3TestServer({ credentials: { accessKeyId: 'key', secretAccessKey: canary } });
  const content = Buffer.concat([...generatedContent(7, sizeBytes)]);
  let endpoint: string;
  let connector: S3Connector;
  const connect = (options: Record<string, string> = {}): S3Connector =>
    new S3Connector(
      { ufs: 's3://b/', options: { endpoint, accessKeyId: 'key', secretAccessKey: canary, ...options } },
      tuning,
    );
  const read = (expectedVersion?: string) => connector.read(object, { maxBytes: 2 * sizeBytes, expectedVersion });
  const openAll = async (expectedVersion?: string) =>
    await collect((await connector.open(object, { expectedVersion })).body);
  const always = (fault: Fault): void => void (server.fault = () => fault);
  const gets = (): number => server.requests.filter(({ operation }) => operation === 'GetObject').length;

  beforeAll(async () => {
    ({ endpoint } = await server.start());
    server.createBucket('b');
  });
  afterAll(() => server.stop());
  beforeEach(() => {
    server.fault = undefined;
    server.requests.length = 0;
    server.generate('b', 'dir/object', sizeBytes, 7);
    connector = connect();
  });
  afterEach(() => connector.close());

  const statuses: [number, string | undefined, UfsErrorCode][] = [
    [500, undefined, 'Unavailable'],
    [502, 'BadGateway', 'Unavailable'],
    [503, 'ServiceUnavailable', 'Unavailable'],
    [503, 'SlowDown', 'Throttled'],
    [429, 'TooManyRequests', 'Throttled'],
    [400, 'RequestTimeout', 'Timeout'],
    [401, 'AccessDenied', 'Forbidden'],
    [403, 'InvalidObjectState', 'Forbidden'],
    [404, 'NoSuchKey', 'NotFound'],
    [404, 'NoSuchBucket', 'NotFound'],
    [412, 'PreconditionFailed', 'Changed'],
    [418, 'Teapot', 'Invalid'],
  ];
  test.each(statuses)('fault 8: %i %s is %s, and its code is in the sentence', async (status, code, ufsCode) => {
    server.fault = ({ operation }) => (operation === 'GetObject' ? { kind: 'status', status, code } : undefined);
    for (const error of await errorsOf([read('v'), openAll('v')])) {
      expect(error.code).toBe(ufsCode);
      expect(error.message).toContain(`${status} ${code ?? 'InternalError'}`);
      expect(error.message).toContain(object);
    }
    if (status === 404) return;
    always({ kind: 'status', status, code });
    expect((await errorOf(connector.list('s3://b/dir/'))).code).toBe(ufsCode);
  });

  test('fault 8: retries end with the first success, and count', async () => {
    server.fault = firstTimes(3, { kind: 'status', status: 503 }, ({ operation }) => operation === 'GetObject');
    const waits: number[] = [];
    const { value, attempts } = await withRetries(policy, () => read(), {
      random: () => 0.5,
      onRetry: (_, __, delayMs) => waits.push(delayMs),
    });
    expect(value.bytes.equals(content)).toBe(true);
    expect([attempts, waits, gets()]).toEqual([4, [0.5, 1, 2], 4]);
  });

  test('fault 8: retries are bounded, and final errors are not retried', async () => {
    always({ kind: 'status', status: 500 });
    await expect(withRetries(policy, () => read())).rejects.toMatchObject({
      attempts: 4,
      cause: { code: 'Unavailable' },
    });
    expect(gets()).toBe(4);
    always({ kind: 'status', status: 403, code: 'AccessDenied' });
    await expect(withRetries(policy, () => read())).rejects.toMatchObject({
      attempts: 1,
      cause: { code: 'Forbidden' },
    });
  });

  test('fault 9: a server that never answers is a Timeout', async () => {
    always({ kind: 'hang' });
    const attempts = [read(), openAll(), connector.list('s3://b/dir/'), connector.stat(object)];
    for (const error of await errorsOf(attempts)) expect(error.code).toBe('Timeout');
  });

  test('fault 9: a body that stops coming is a Timeout', async () => {
    always({ kind: 'pause', afterBytes: 100_000 });
    for (const error of await errorsOf([read(), openAll()])) expect(error.code).toBe('Timeout');
  });

  test('fault 9: a slow body is not idle', async () => {
    always({ kind: 'slow', bytesPerSecond: 600_000 });
    expect((await read()).bytes.equals(content)).toBe(true);
  });

  test('fault 9: one stuck object does not hinder the others', async () => {
    server.generate('b', 'stuck', 10, 1);
    server.fault = ({ key }) => (key === 'stuck' ? { kind: 'hang' } : undefined);
    const stuck = errorOf(connector.read('s3://b/stuck', { maxBytes: 10 }));
    for (let round = 0; round < 10; round++) expect((await read()).bytes).toHaveLength(sizeBytes);
    expect((await stuck).code).toBe('Timeout');
  });

  test('fault 9: a consumer that takes its time is not an idle server', async () => {
    server.generate('b', 'large', 16 * 1024 * 1024, 3);
    let received = 0;
    for await (const chunk of (await connector.open('s3://b/large')).body) {
      // Longer than the idle timeout, with more bytes waiting than the buffers hold.
      if (received === 0) await new Promise((resolve) => setTimeout(resolve, 2 * tuning.idleTimeoutMs));
      received += chunk.length;
    }
    expect(received).toBe(16 * 1024 * 1024);
  });

  const truncations: [string, Fault][] = [
    ['ended in order', { kind: 'truncate', afterBytes: 100, how: 'end' }],
    ['ended before its first byte', { kind: 'truncate', afterBytes: 0, how: 'end' }],
    ['reset', { kind: 'truncate', afterBytes: 100, how: 'reset' }],
    ['shorter than announced', { kind: 'length', offBy: 10 }],
  ];
  test.each(truncations)('fault 10: a body %s is Truncated', async (_, fault) => {
    always(fault);
    for (const error of await errorsOf([read(), openAll(), connector.list('s3://b/dir/')])) {
      expect([error.code, error.retryable]).toEqual(['Truncated', true]);
    }
  });

  test('fault 10: a body longer than announced never passes for the object', async () => {
    always({ kind: 'length', offBy: -10 });
    const sizes = await Promise.allSettled([
      read().then(({ object: { sizeBytes: size } }) => size),
      openAll().then((bytes) => bytes.length),
      connector.list('s3://b/dir/').then(({ objects }) => objects[0]?.sizeBytes),
    ]);
    for (const size of sizes) expect(size).not.toMatchObject({ status: 'fulfilled', value: sizeBytes });
  });

  test('fault 10: after a truncated body the next attempt brings the whole object', async () => {
    const matches = ({ operation }: { operation: string }): boolean => operation === 'GetObject';
    server.fault = firstTimes(2, { kind: 'truncate', afterBytes: 5, how: 'reset' }, matches);
    const { value, attempts } = await withRetries(policy, () => openAll());
    expect([value.equals(content), attempts]).toEqual([true, 3]);
  });

  test('fault 10: a connection that breaks before the answer is Unavailable', async () => {
    always({ kind: 'reset' });
    expect((await errorOf(read())).code).toBe('Unavailable');
    expect((await errorOf(openAll())).code).toBe('Unavailable');
  });

  test('fault 11: another ETag than the expected one is Changed, even from a server that ignores If-Match', async () => {
    const { version } = await connector.stat(object);
    always({ kind: 'etag', etag: 'other' });
    expect((await errorOf(read(version))).code).toBe('Changed');
    expect((await errorOf(openAll(version))).code).toBe('Changed');
  });

  test('fault 11: an object replaced while it is read arrives as the old one or not at all, never mixed', async () => {
    const { version } = await connector.stat(object);
    let resume = (): void => undefined;
    const until = new Promise<void>((resolve) => (resume = resolve));
    server.fault = firstTimes(
      1,
      { kind: 'pause', afterBytes: 100_000, until },
      ({ operation }) => operation === 'GetObject',
    );
    const { body } = await connector.open(object, { expectedVersion: version });
    server.generate('b', 'dir/object', sizeBytes, 8);
    resume();
    expect((await collect(body)).equals(content)).toBe(true);
    expect((await errorOf(openAll(version))).code).toBe('Changed');
    const fresh = (await connector.stat(object)).version;
    expect((await openAll(fresh)).equals(Buffer.concat([...generatedContent(8, sizeBytes)]))).toBe(true);
  });

  test('fault 11: ranges of two versions cannot be put together', async () => {
    const { version } = await connector.stat(object);
    await connector.read(object, { end: 99, maxBytes: 100, expectedVersion: version });
    server.generate('b', 'dir/object', sizeBytes, 8);
    const rest = connector.read(object, { start: 100, maxBytes: sizeBytes, expectedVersion: version });
    expect((await errorOf(rest)).code).toBe('Changed');
  });

  test.each([1, -1])(
    'fault 15: requests are signed by the server’s time when the clock is wrong by %i h, with or without jumps',
    async (hours) => {
      const { now } = Date;
      const clock = { offsetMs: hours * 3_600_000 };
      // The connector's calls alone: the server checks the time in this same process.
      const wrong = jest.spyOn(Date, 'now').mockImplementation(() => {
        const isServer = new Error().stack?.includes('sigv4.ts');
        return now() + (isServer ? 0 : clock.offsetMs);
      });
      try {
        expect(await openAll()).toEqual(content);
        expect((await connector.stat(object))?.sizeBytes).toBe(sizeBytes);
        clock.offsetMs = -clock.offsetMs;
        const reads = await Promise.all(Array.from({ length: 8 }, () => read()));
        expect(reads).toHaveLength(8);
        const wrongKey = connect({ secretAccessKey: 'another' });
        expect((await errorOf(wrongKey.stat(object))).code).toBe('Forbidden');
        await wrongKey.close();
      } finally {
        wrong.mockRestore();
      }
    },
  );

  test('fault 17: keys with `.`, `..` or control characters are rejected one by one', async () => {
    const bad = ['odd/../x', 'odd/..', 'odd/./x', 'odd/a\u0001b', 'odd/line\nbreak'];
    for (const key of [...bad, 'odd/..ok', 'odd/.ok', 'odd/a//b', `odd/${'x'.repeat(300)}`])
      await server.put('b', key, 'x');
    const page = await connector.list('s3://b/odd');
    expect(page.rejected.map(({ path }) => path.slice('s3://b/'.length)).sort()).toEqual([...bad].sort());
    for (const { reason } of page.rejected) expect(reason).toMatch(/^The key .*\.$/);
    expect(page.objects).toHaveLength(4);
    expect((await connector.read(`s3://b/odd/${'x'.repeat(300)}`, { maxBytes: 9 })).bytes.toString()).toBe('x');
  });

  test('fault 23: no error of a refused login holds a secret', async () => {
    const wrong = connect({ secretAccessKey: `${canary}x` });
    const unknown = connect({ accessKeyId: 'other' });
    for (const [refused, code] of [
      [wrong, 'SignatureDoesNotMatch'],
      [unknown, 'InvalidAccessKeyId'],
    ] as const) {
      for (const error of await errorsOf([
        refused.read(object, { maxBytes: 9 }),
        refused.list('s3://b/'),
        refused.open(object),
      ])) {
        expect([error.code, error.message]).toEqual(['Forbidden', expect.stringContaining(code)]);
      }
      await refused.close();
    }
  });

  test('a missing bucket is NotFound, and the message names it', async () => {
    const missing = new S3Connector(
      { ufs: 's3://none/', options: { endpoint, accessKeyId: 'key', secretAccessKey: canary } },
      tuning,
    );
    for (const error of await errorsOf([missing.list('s3://none/'), missing.read('s3://none/x', { maxBytes: 9 })])) {
      expect([error.code, error.message]).toEqual([
        'NotFound',
        expect.stringContaining('no such bucket (404 NoSuchBucket)'),
      ]);
    }
    expect(await missing.exists('s3://none/')).toBe(false);
    await missing.close();
  });

  test('with the right to list but not to read, names are listed and each read is Forbidden', async () => {
    server.fault = ({ operation }) =>
      operation === 'HeadObject' || operation === 'GetObject'
        ? { kind: 'status', status: 403, code: 'AccessDenied' }
        : undefined;
    expect((await connector.list(object)).objects).toMatchObject([{ path: object, sizeBytes }]);
    expect((await connector.list('s3://b/dir')).objects).toHaveLength(1);
    expect((await errorOf(read())).code).toBe('Forbidden');
  });

  test('an endpoint that cannot be reached is Unavailable', async () => {
    const probe = createServer().listen(0, '127.0.0.1');
    await once(probe, 'listening');
    const { port } = probe.address() as AddressInfo;
    probe.close();
    await once(probe, 'close');
    for (const [where, sentence] of [
      [`http://127.0.0.1:${port}`, /refuses connections \(ECONNREFUSED/],
      ['http://no-such-host.invalid', /cannot be resolved/],
    ] as const) {
      const unreachable = connect({ endpoint: where });
      const error = await errorOf(unreachable.list('s3://b/'));
      expect([error.code, error.message]).toEqual(['Unavailable', expect.stringMatching(sentence)]);
      expect((await errorOf(unreachable.open(object))).code).toBe('Unavailable');
      await unreachable.close();
    }
  });

  test('an endpoint without S3 is reported as such', async () => {
    const answers = async (text: string): Promise<Server> => {
      const odd = createServer((socket) => socket.on('error', () => undefined).on('data', () => socket.end(text)));
      odd.listen(0, '127.0.0.1');
      await once(odd, 'listening');
      return odd;
    };
    const page = '<html><body>It works!</body></html>';
    for (const [text, sentence] of [
      [`HTTP/1.1 200 OK\r\ncontent-length: ${page.length}\r\n\r\n${page}`, /is no S3 listing/],
      ['SSH-2.0-OpenSSH_9.2\r\n', /connection to the endpoint failed/],
    ] as const) {
      const odd = await answers(text);
      const strange = connect({ endpoint: `http://127.0.0.1:${(odd.address() as AddressInfo).port}` });
      const error = await errorOf(strange.list('s3://b/'));
      expect([error.code, error.message]).toEqual(['Unavailable', expect.stringMatching(sentence)]);
      await strange.close();
      odd.close();
    }
  });

  test('an abort in the middle ends the call at once and gives the connection back', async () => {
    always({ kind: 'hang' });
    for (const begin of [
      (signal: AbortSignal) => connector.read(object, { maxBytes: sizeBytes, signal }),
      (signal: AbortSignal) => connector.open(object, { signal }),
      (signal: AbortSignal) => connector.list('s3://b/', { signal }),
    ]) {
      const abort = new AbortController();
      const arrived = new Promise<void>((resolve) => {
        server.fault = () => (resolve(), { kind: 'hang' });
      });
      const error = errorOf(begin(abort.signal));
      await arrived;
      abort.abort();
      expect((await error).code).toBe('Aborted');
    }
    server.fault = undefined;
    expect((await read()).bytes.equals(content)).toBe(true);
  });

  test('more calls than connections wait their turn, and no more connections are opened', async () => {
    server.maxInFlight = 0;
    const all = await Promise.all(Array.from({ length: 50 }, () => read()));
    expect(all.every(({ bytes }) => bytes.equals(content))).toBe(true);
    expect(server.maxInFlight).toBeLessThanOrEqual(tuning.maxConnections);
  });

  test('without credentials requests go unsigned', async () => {
    const open = new S3TestServer({ allowAnonymous: true });
    const { endpoint: openEndpoint } = await open.start();
    open.createBucket('b');
    await open.put('b', 'x', 'public');
    const anonymous = new S3Connector({ ufs: 's3://b/', options: { endpoint: openEndpoint } }, tuning);
    expect((await anonymous.read('s3://b/x', { maxBytes: 9 })).bytes.toString()).toBe('public');
    await anonymous.close();
    await open.stop();
    const refused = new S3Connector({ ufs: 's3://b/', options: { endpoint } }, tuning);
    expect((await errorOf(refused.read(object, { maxBytes: 9 }))).code).toBe('Forbidden');
    await refused.close();
  });

  test('a session token is signed and sent', async () => {
    const credentials = { accessKeyId: 'key', secretAccessKey: canary, sessionToken: 'token' };
    const strict = new S3TestServer({ credentials });
    const { endpoint: strictEndpoint } = await strict.start();
    strict.createBucket('b');
    const options = { endpoint: strictEndpoint, accessKeyId: 'key', secretAccessKey: canary, sessionToken: 'token' };
    const known = new S3Connector({ ufs: 's3://b/', options }, tuning);
    expect((await known.list('s3://b/')).objects).toEqual([]);
    await known.close();
    await strict.stop();
  });

  test('a mount of a prefix gives access to nothing beside it', async () => {
    for (const key of ['pre', 'pre/a', 'pre/fix/b', 'prefix']) await server.put('b', key, 'x');
    const narrow = new S3Connector(
      { ufs: 's3://b/pre', options: { endpoint, accessKeyId: 'key', secretAccessKey: canary } },
      tuning,
    );
    for (const root of ['s3://b/pre', 's3://b/pre/']) {
      expect((await narrow.list(root)).objects.map(({ path }) => path)).toEqual(['s3://b/pre/a', 's3://b/pre/fix/b']);
    }
    for (const path of ['s3://b/prefix', 's3://b/', 's3://b', 's3://other/pre/a']) {
      expect((await errorOf(narrow.stat(path))).code).toBe('Outside');
    }
    await narrow.close();
  });

  test('a hash of an object encrypted with a customer’s or a KMS key is not known', async () => {
    const listed = (await connector.list(object)).objects[0];
    if (listed === undefined) throw new Error('the object is listed');
    expect((await connector.contentHash(listed))?.algorithm).toBe('md5');
    expect(await connector.contentHash({ ...listed, version: `${listed.version}-2` })).toBeUndefined();
    expect((await errorOf(connector.contentHash({ ...listed, version: '0'.repeat(32) }))).code).toBe('Changed');
  });
});
