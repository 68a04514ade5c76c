import { RedirectingServer, S3TestServer, type RedirectAnswer } from '#testing';
import { UfsError } from '../types.js';
import { externalLookup, isInternalAddress } from './internal-address.js';
import { allowance } from './redirects.js';
import { S3Connector } from './s3-connector.js';
import { originInRegion } from './s3-region.js';
import { s3Settings } from './s3-settings.js';

const tuning = { idleTimeoutMs: 2000, connectTimeoutMs: 500, maxConnections: 4 };
const canary = 'canary/secret+42';
const credentials = { accessKeyId: 'key', secretAccessKey: canary };

async function errorOf(attempt: Promise<unknown>): Promise<UfsError> {
  const error: unknown = await attempt.then(
    () => new Error('it succeeded'),
    (reason: unknown) => reason,
  );
  if (!(error instanceof UfsError)) throw error;
  expect(error.message).toMatch(/^[A-Z].*\.$/s);
  expect(error.message).not.toContain(canary);
  return error;
}

describe('S3Connector and a server that redirects', () => {
  const store = new S3TestServer({ credentials });
  const front = new RedirectingServer();
  let storeEndpoint: string;
  let frontEndpoint: string;
  const connectors: S3Connector[] = [];

  beforeAll(async () => {
    ({ endpoint: storeEndpoint } = await store.start());
    ({ endpoint: frontEndpoint } = await front.start());
    store.createBucket('b');
    await store.put('b', 'a b/é+%2F?', 'content');
    await store.put('b', 'large', Buffer.alloc(500_000, 'x'));
  });
  afterAll(async () => {
    await store.stop();
    await front.stop();
  });
  beforeEach(() => {
    front.seen.length = 0;
    store.requests.length = 0;
  });
  afterEach(async () => {
    await Promise.all(connectors.splice(0).map((connector) => connector.close()));
  });

  function connect(options: Record<string, string> = {}): S3Connector {
    const connector = new S3Connector(
      { ufs: 's3://b/', options: { endpoint: frontEndpoint, ...credentials, ...options } },
      tuning,
    );
    connectors.push(connector);
    return connector;
  }
  const object = 's3://b/a b/é+%2F?';
  const redirect = (answer: RedirectAnswer['status'], location: (url: string) => string): void => {
    front.answer = ({ url = '' }): RedirectAnswer => ({ status: answer, headers: { location: location(url) } });
  };
  const read = async (connector: S3Connector, path = object) =>
    (await connector.read(path, { maxBytes: 1_000_000 })).bytes.toString();

  test.each([301, 302, 307, 308])(
    '%i is followed, signed for the new address, with the same method',
    async (status) => {
      redirect(status, (url) => storeEndpoint + url);
      const connector = connect();
      expect(await read(connector)).toBe('content');
      expect((await connector.stat(object)).sizeBytes).toBe(7);
      expect((await connector.list('s3://b/')).objects).toHaveLength(2);
      let streamed = 0;
      for await (const chunk of (await connector.open('s3://b/large', { start: 10 })).body) streamed += chunk.length;
      expect(streamed).toBe(499_990);
      expect(front.seen.map(({ method }) => method)).toEqual(['GET', 'HEAD', 'GET', 'GET']);
      expect(store.requests.map(({ operation, status: code }) => [operation, code])).toEqual([
        ['GetObject', 200],
        ['HeadObject', 200],
        ['ListObjectsV2', 200],
        ['GetObject', 206],
      ]);
    },
  );

  test('an address without a host is one of the same server', async () => {
    front.answer = ({ url = '' }): RedirectAnswer =>
      url.startsWith('/there/')
        ? { status: 200, body: 'content', headers: { etag: '"e"' } }
        : { status: 307, headers: { location: `/there${url}?at=t1` } };
    expect(await read(connect({}))).toBe('content');
    expect(front.seen.map(({ url }) => url)).toEqual([
      '/b/a%20b/%C3%A9%2B%252F%3F',
      '/there/b/a%20b/%C3%A9%2B%252F%3F?at=t1',
    ]);
    expect(front.seen[1].headers.authorization).toContain('AWS4-HMAC-SHA256');
  });

  test('an address with a signature gets no second one', async () => {
    front.answer = ({ url = '' }): RedirectAnswer =>
      url.includes('Signature')
        ? { status: 200, body: 'content', headers: { etag: '"e"' } }
        : { status: 307, headers: { location: `${url}?X-Amz-Signature=0` } };
    expect(await read(connect())).toBe('content');
    expect(front.seen[1].headers.authorization).toBeUndefined();
  });

  test('a precondition and a range are sent along', async () => {
    redirect(307, (url) => storeEndpoint + url);
    const connector = connect();
    const { version } = await connector.stat(object);
    expect((await connector.read(object, { maxBytes: 9, start: 2, expectedVersion: version })).bytes.toString()).toBe(
      'ntent',
    );
    const error = await errorOf(connector.read(object, { maxBytes: 9, expectedVersion: 'other' }));
    expect(error.code).toBe('Changed');
  });

  test('five hops are followed, a sixth is not, and a circle is noticed', async () => {
    let hops = 5;
    front.answer = ({ url = '' }, asked): RedirectAnswer =>
      asked <= hops
        ? { status: 302, headers: { location: `${frontEndpoint}/n${asked}` } }
        : { status: 200, body: url, headers: { etag: '"e"' } };
    expect(await read(connect())).toBe('/n5');
    front.seen.length = 0;
    hops = 6;
    expect((await errorOf(read(connect()))).message).toContain('more than 5 times');
    front.seen.length = 0;
    redirect(307, (url) => (url === '/one' ? '/two' : '/one'));
    const error = await errorOf(read(connect()));
    expect([error.code, error.retryable]).toEqual(['Invalid', false]);
    expect(error.message).toContain('in a circle');
    expect(front.seen).toHaveLength(3);
  });

  test.each([
    ['another host', 'http://other.example.com/b/x', 'http://other.example.com, where this mount does not go'],
    ['another address', 'http://127.0.0.2:1/b/x', 'http://127.0.0.2:1, where'],
    ['this machine by name', 'http://localhost:1/x', 'http://localhost:1, where'],
    ['the metadata of a cloud', 'http://169.254.169.254/latest/meta-data/iam', 'http://169.254.169.254, where'],
    ['the same as a number', 'http://2852039166/latest', 'http://169.254.169.254, where'],
    ['the same in IPv6', 'http://[::ffff:169.254.169.254]/latest', 'where this mount does not go'],
    ['loopback in IPv6', 'http://[::1]:9000/x', 'http://[::1]:9000, where'],
    ['another scheme', 'ftp://127.0.0.1/x', 'the scheme ftp:'],
    ['a file', 'file:///etc/passwd', 'the scheme file:'],
    ['credentials', 'http://u:p@127.0.0.1/x', 'with credentials'],
    ['nothing that is an address', 'http://[', 'to an invalid address'],
  ])('%s is not followed, and nothing is sent there', async (_what, location, sentence) => {
    redirect(307, () => location);
    const connector = connect({ redirectHosts: '*.example.org, 10.0.0.1' });
    const attempts = [read(connector), connector.stat(object), connector.list('s3://b/'), connector.open(object)];
    for (const error of await Promise.all(attempts.map(errorOf))) {
      expect([error.code, error.retryable]).toEqual(['Invalid', false]);
      expect(error.message).toContain(sentence);
      expect(error.message).toContain('(307)');
    }
    expect(store.requests).toEqual([]);
  });

  test('a host that the option names is followed, also an internal one', async () => {
    redirect(307, (url) => storeEndpoint.replace('127.0.0.1', 'localhost') + url);
    expect(await read(connect({ redirectHosts: 'one.example.com, LOCALHOST' }))).toBe('content');
    expect(await errorOf(read(connect({ redirectHosts: 'one.example.com' })))).toMatchObject({ code: 'Invalid' });
  });

  test('a pattern does not open the way to a name that is an internal address', async () => {
    // RFC 6761, 6.3: such names are loopback. Where the resolver does not know that, it is no name at all.
    redirect(307, (url) => `${storeEndpoint.replace('127.0.0.1', 'node.localhost')}${url}`);
    const error = await errorOf(read(connect({ redirectHosts: '*.localhost' })));
    expect(error.message).toMatch(/node\.localhost, which is an internal address|cannot be resolved/);
    expect(store.requests).toEqual([]);
  });

  test('a redirect without an address is an error', async () => {
    front.answer = () => ({ status: 301 });
    const error = await errorOf(read(connect()));
    expect([error.code, error.message]).toEqual(['Invalid', expect.stringContaining('does not say which')]);
  });

  test('no redirect from https to http is followed, at Amazon’s hosts or their targets', () => {
    const rules = s3Settings({
      ufs: 's3://bucket/',
      options: { redirectHosts: 'a.example.com,*.c.example.com' },
    }).redirects;
    const answers = {
      's3.us-east-1.amazonaws.com': 'yes',
      'bucket.s3.us-east-1.amazonaws.com': 'yes',
      'bucket.s3.eu-west-1.amazonaws.com': 'if external',
      's3.cn-north-1.amazonaws.com.cn': undefined,
      'amazonaws.com.example.com': undefined,
      'xamazonaws.com': undefined,
      'a.example.com': 'yes',
      'x.a.example.com': undefined,
      'x.c.example.com': 'if external',
      'c.example.com': undefined,
      'xc.example.com': undefined,
      '10.0.0.1': undefined,
    };
    for (const [host, answer] of Object.entries(answers))
      expect([host, allowance(host, rules)]).toEqual([host, answer]);
    const own = s3Settings({
      ufs: 's3://b/',
      options: { endpoint: 'http://10.1.2.3:9000', redirectHosts: '10.0.0.2,fd00::1' },
    });
    for (const [host, answer] of [
      ['10.1.2.3', 'yes'],
      ['10.0.0.2', 'yes'],
      ['fd00::1', 'yes'],
      ['10.0.0.3', undefined],
      ['s3.amazonaws.com', undefined],
    ])
      expect([host, allowance(host!, own.redirects)]).toEqual([host, answer]);
  });

  test.each(['http://x', 'x:80', 'x/y', 'a b', '*', '*.', '*.10.0.0.1', 'x,,@', 'x?'])(
    '%j names no hosts',
    (redirectHosts) => {
      expect(() => s3Settings({ ufs: 's3://b/', options: { redirectHosts } })).toThrow(
        'The option redirectHosts must be',
      );
    },
  );
});

describe('internal addresses', () => {
  test.each([
    '127.0.0.1', '127.9.9.9', '10.0.0.1', '172.16.0.1', '172.31.255.255', '192.168.1.1', '169.254.169.254', '0.0.0.0',
    '100.64.0.1', '224.0.0.1', '255.255.255.255', '::1', '::', 'fd00::1', 'fe80::1', 'fc00::1', 'ff02::1', '::ffff:127.0.0.1',
    '::ffff:10.0.0.1', '::ffff:a9fe:a9fe', '64:ff9b::a9fe:a9fe', '::7f00:1', '2002:7f00:1::',
  ])('%s is one', (address) => expect(isInternalAddress(address)).toBe(true)); // prettier-ignore

  test.each(['8.8.8.8', '172.15.0.1', '172.32.0.1', '192.167.0.1', '2606:4700::1111', '::ffff:8.8.8.8', 'localhost'])(
    '%s is none',
    (address) => expect(isInternalAddress(address)).toBe(false),
  );

  test('a name is looked up, and refused for its addresses', async () => {
    for (const all of [true, false]) {
      const error = await new Promise((resolve) => externalLookup('localhost', { all }, resolve));
      expect(String(error)).toBe('InternalAddressError: localhost is an internal address');
    }
  });
});

describe('S3Connector and a bucket in another region', () => {
  const store = new S3TestServer({ credentials, region: 'eu-central-1' });
  let endpoint: string;
  beforeAll(async () => {
    ({ endpoint } = await store.start());
    store.createBucket('b');
    for (let i = 0; i < 20; i++) await store.put('b', `k${i}`, `content ${i}`);
  });
  afterAll(() => store.stop());
  const connect = (to: string, region = 'us-west-2') =>
    new S3Connector({ ufs: 's3://b/', options: { endpoint: to, region, ...credentials } }, tuning);

  test('the region in an error’s body is used at once and from then on', async () => {
    const connector = connect(endpoint);
    store.requests.length = 0;
    const reads = Array.from({ length: 20 }, (_, i) => connector.read(`s3://b/k${i}`, { maxBytes: 99 }));
    expect((await Promise.all(reads)).map(({ bytes }) => bytes.toString())).toEqual(
      Array.from({ length: 20 }, (_, i) => `content ${i}`),
    );
    store.requests.length = 0;
    expect((await connector.list('s3://b/')).objects).toHaveLength(20);
    for await (const chunk of (await connector.open('s3://b/k1')).body) expect(chunk.toString()).toBe('content 1');
    expect(store.requests.map(({ status }) => status)).toEqual([200, 200]);
    await connector.close();
  });

  test.each([400, 301, 403])('a bare %i to a HEAD has only the header', async (status) => {
    const front = new RedirectingServer();
    const { endpoint: frontEndpoint } = await front.start();
    front.answer = ({ headers }): RedirectAnswer =>
      String(headers.authorization).includes('/eu-central-1/s3/')
        ? { status: 200, headers: { etag: '"e"', 'content-length': '7' } }
        : { status, headers: { 'x-amz-bucket-region': 'eu-central-1' } };
    const connector = connect(frontEndpoint);
    expect(await connector.stat('s3://b/k1')).toEqual({ path: 's3://b/k1', sizeBytes: 7, version: 'e' });
    expect(await connector.stat('s3://b/k2')).toMatchObject({ version: 'e' });
    expect(front.seen.map(({ method }) => method)).toEqual(['HEAD', 'HEAD', 'HEAD']);
    await connector.close();
    await front.stop();
  });

  test('a region is accepted once: a server that names one after another is reported', async () => {
    const front = new RedirectingServer();
    const { endpoint: frontEndpoint } = await front.start();
    front.answer = (_, asked) => ({ status: 301, headers: { 'x-amz-bucket-region': `region-${asked}` } });
    const connector = connect(frontEndpoint);
    const error = await errorOf(connector.list('s3://b/'));
    expect([error.code, error.message]).toEqual([
      'Invalid',
      expect.stringContaining('the region region-2, and this endpoint'),
    ]);
    expect(front.seen).toHaveLength(2);
    expect((await errorOf(connector.list('s3://b/'))).code).toBe('Invalid');
    expect(front.seen).toHaveLength(3);
    await connector.close();
    await front.stop();
  });

  test('a region in a refusal is ignored after requests have succeeded', async () => {
    const front = new RedirectingServer();
    const { endpoint: frontEndpoint } = await front.start();
    const named = { 'x-amz-bucket-region': 'us-east-1' };
    front.answer = ({ url = '', headers }): RedirectAnswer => {
      if (!String(headers.authorization).includes('/us-west-2/s3/')) {
        const body = '<Error><Code>AuthorizationHeaderMalformed</Code><Region>us-west-2</Region></Error>';
        return { status: 400, body };
      }
      return url.includes('secret') ? { status: 403, headers: named } : { status: 200, headers: { etag: '"e"' } };
    };
    // Before any success the named region is used, and dropped for good when the store insists on the configured one.
    for (const keys of [
      ['a', 'secret', 'a'],
      ['secret', 'a', 'secret', 'a'],
    ]) {
      const connector = connect(frontEndpoint);
      for (const key of keys) {
        const attempt = connector.read(`s3://b/${key}`, { maxBytes: 9 });
        if (key === 'secret') expect((await errorOf(attempt)).code).toBe('Forbidden');
        else expect((await attempt).object.version).toBe('e');
      }
      front.seen.length = 0;
      await connector.read('s3://b/a', { maxBytes: 9 });
      expect(front.seen).toHaveLength(1);
      await connector.close();
    }
    await front.stop();
  });

  test('an invalid region name is ignored', async () => {
    const front = new RedirectingServer();
    const { endpoint: frontEndpoint } = await front.start();
    front.answer = () => ({ status: 400, headers: { 'x-amz-bucket-region': 'a b/../c' } });
    const connector = connect(frontEndpoint);
    expect((await errorOf(connector.list('s3://b/'))).code).toBe('Invalid');
    expect(front.seen).toHaveLength(1);
    await connector.close();
    await front.stop();
  });

  test.each([
    ['https://b.s3.us-east-1.amazonaws.com', 'eu-west-1', 'https://b.s3.eu-west-1.amazonaws.com'],
    ['https://s3.amazonaws.com', 'eu-west-1', 'https://s3.eu-west-1.amazonaws.com'],
    ['https://b.s3.dualstack.us-east-1.amazonaws.com', 'eu-west-1', 'https://b.s3.dualstack.eu-west-1.amazonaws.com'],
    ['https://s3-us-west-2.amazonaws.com', 'eu-west-1', 'https://s3-eu-west-1.amazonaws.com'],
    ['https://s3-fips.us-east-1.amazonaws.com', 'us-west-2', 'https://s3-fips.us-west-2.amazonaws.com'],
    ['https://s3.us-east-1.amazonaws.com', 'cn-north-1', 'https://s3.cn-north-1.amazonaws.com.cn'],
    ['http://127.0.0.1:9000', 'eu-west-1', 'http://127.0.0.1:9000'],
    ['https://s3.us-east-1.example.com', 'eu-west-1', 'https://s3.us-east-1.example.com'],
  ])('%s in %s is %s', (origin, region, there) => {
    expect(originInRegion(origin, region)).toBe(there);
  });
});
