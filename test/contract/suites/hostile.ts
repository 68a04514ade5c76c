import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { jobKindDocs } from '#job-kinds/coordinator';
import { type HttpMethod } from '../support/contract.js';
import { type ContractFixture } from '../support/contract-fixture.js';

export interface Target {
  method: 'POST' | 'PUT' | 'DELETE';
  path: string;
  /** A well-formed body whose effect disturbs no other suite. */
  body: Record<string, unknown>;
  /** Dotted names of its fields, by type. */
  fields: Record<string, 'string' | 'list' | 'number' | 'boolean' | 'object'>;
}

const nowhere = '/data/hostile';
const pathFields = { path: 'string' } as const;
const jobOptions = { 'options.batchSize': 'number', 'options.sync': 'boolean', options: 'object' } as const;

/** Every route with a body. */
export const targets: readonly Target[] = [
  {
    method: 'POST',
    path: '/load',
    body: { paths: [nowhere], options: {} },
    fields: {
      ...{ paths: 'list', alias: 'string', ...jobOptions, 'options.replicas': 'number', 'options.bandwidth': 'number' },
      ...{ 'options.fileFilterRegex': 'string', 'options.fileFilterRegx': 'string', 'options.skipIfExists': 'boolean' },
      ...{ 'options.loadMetadataOnly': 'boolean', 'options.verify': 'boolean' },
    },
  },
  {
    method: 'POST',
    path: '/free',
    body: { paths: [nowhere], options: {} },
    fields: { paths: 'list', alias: 'string', ...jobOptions, 'options.recursive': 'boolean' },
  },
  {
    method: 'POST',
    path: '/rebalance',
    body: { target: 'ALL', options: {} },
    fields: {
      ...{ target: 'string', options: 'object', 'options.loadBatchSize': 'number', 'options.skipPrune': 'boolean' },
      ...{ 'options.loadBandwidth': 'number', 'options.pruneBandwidth': 'number' },
    },
  },
  { method: 'POST', path: '/cache', body: { op: 'clear-stale' }, fields: { op: 'string' } },
  {
    method: 'POST',
    path: '/mount',
    body: { path: nowhere, ufs: 's3://hostile-bucket' },
    fields: { path: 'string', ufs: 'string', options: 'object' },
  },
  {
    method: 'POST',
    path: '/quota',
    body: { path: nowhere, quotaBytes: 1e9 },
    fields: { ...pathFields, quotaBytes: 'number' },
  },
  {
    method: 'POST',
    path: '/ttl',
    body: { path: nowhere, ttlSeconds: 1e6 },
    fields: { ...pathFields, ttlSeconds: 'number' },
  },
  {
    method: 'POST',
    path: '/priority',
    body: { path: nowhere, priority: 'low' },
    fields: { ...pathFields, priority: 'string' },
  },
  { method: 'POST', path: '/file_index', body: { files: ['s3://hostile/f'] }, fields: { files: 'list' } },
  { method: 'DELETE', path: '/load', body: { id: 'nobody' }, fields: { id: 'string' } },
  { method: 'DELETE', path: '/free', body: { id: 'nobody' }, fields: { id: 'string' } },
  { method: 'DELETE', path: '/rebalance', body: { target: 'nobody' }, fields: { id: 'string', target: 'string' } },
  { method: 'DELETE', path: '/cache', body: { op: 'clear-stale' }, fields: { op: 'string' } },
  {
    method: 'PUT',
    path: '/mount',
    body: { path: '/nowhere', options: {} },
    fields: { ...pathFields, options: 'object' },
  },
  { method: 'DELETE', path: '/mount', body: { path: '/nowhere' }, fields: pathFields },
  { method: 'DELETE', path: '/quota', body: { path: nowhere }, fields: pathFields },
  { method: 'DELETE', path: '/ttl', body: { path: nowhere }, fields: pathFields },
  { method: 'DELETE', path: '/priority', body: { path: nowhere }, fields: pathFields },
  { method: 'DELETE', path: '/file_index', body: { files: ['s3://hostile/f'] }, fields: { files: 'list' } },
];

/** Values that no field of the type accepts. */
const wrong: Record<Target['fields'][string], readonly unknown[]> = {
  string: [5, true, ['x'], { x: 1 }, 1e308, -1],
  list: ['x', 5, true, { 0: 'x' }, [5], [null], [['x']], [{}]],
  number: ['5', 'NaN', true, [1], { x: 1 }, 1e308, -1e308, -1, 0.5, 2 ** 53],
  boolean: ['true', 'yes', 1, 0, ['x'], { x: 1 }],
  object: ['x', 5, true, [], ['x']],
};

/** Values that are refused in place of a path, with a message. */
const badPaths = [
  ...['relative', '../x', '/data/../x', '/data/./x', '/data/..', '..', '/data/\u0000', '/data/a\nb', '/data/\u007f'],
  ...['/data/\ud800', `/data/${'x'.repeat(5000)}`, `/${'../'.repeat(1000)}etc/passwd`, '\\\\host\\share', 'C:\\x'],
  ...['http://my-bucket/x', 'file://host/x', 'file:', 's3://', 's3:///x', 's3://a?b/x', 'javascript:alert(1)'],
];

/** Paths that are unusual but valid. */
const oddPaths = [
  ...['/data/a%2Fb', '/data/%00', '/data/caf\u00e9', '/data/cafe\u0301', '/data/\u{1f986}', '//data///x', '/data/x/'],
  ...['/data/__proto__', '/data/constructor', '/data/a b+c&d=e?f#g', `/data/${'d/'.repeat(500)}`, "/data/'; DROP --"],
];

const json = { 'content-type': 'application/json' };
const MiB = 1024 * 1024;

export function hostileContract(fixture: ContractFixture): void {
  const residentBytes = (): number => {
    const status = readFileSync(`/proc/${fixture.cluster.coordinators[0].process.pid}/status`, 'utf8');
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)![1]) * 1024;
  };

  describe.each(targets)('hostile input for $method $path', ({ method, path, body, fields }) => {
    const raw = (text: string | Buffer, headers: Record<string, string> = json) =>
      fixture.api.call(method, path, { raw: text, headers });

    it.each(Object.entries(fields))('returns 400 naming the field %s when its type is not %s', async (field, type) => {
      for (const value of wrong[type]) {
        const answer = await fixture.api.call(method, path, { body: withField(body, field, value) });
        expect({ value, ...answer }).toMatchObject({ status: 400 });
        expect(answer.body.status).toContain(field);
      }
    });

    it('treats null in a field as a missing field, or returns 400', async () => {
      for (const field of Object.keys(fields)) {
        const answer = await fixture.api.call(method, path, { body: withField(body, field, null) });
        expect(answer.status).not.toBe(500);
      }
    });

    it('returns 400 for a body that is not an object', async () => {
      for (const text of [
        '[]',
        '"x"',
        '5',
        'true',
        '1e999',
        '[{"path":"/data"}]',
        '{',
        '{"a":}',
        "{'a':1}",
        '{"a":NaN}',
      ]) {
        expect({ text, ...(await raw(text)) }).toMatchObject({ status: 400 });
      }
      for (const text of ['', '  ', 'null', '{}']) {
        expect({ text, ...(await raw(text)) }).toMatchObject({
          status: 400,
          body: { status: 'Required parameters not provided' },
        });
      }
      expect((await fixture.api.call(method, path)).body.status).toBe('Required parameters not provided');
    });

    it('fault 19: returns 400 for 100,000 levels and for keys that could reach a prototype', async () => {
      for (const text of [
        `{"path":${'['.repeat(100_000)}${']'.repeat(100_000)}}`,
        '{"a":'.repeat(100_000),
        '{"__proto__":{"polluted":1}}',
        '{"path":"/data","constructor":{"prototype":{"polluted":1}}}',
        '{"options":{"__proto__":{"sync":true}}}',
      ]) {
        expect((await raw(text)).status).toBe(400);
      }
    });

    it('ignores unknown fields and names them in the answer', async () => {
      await fixture.api.call(method, path, { body });
      const plain = await fixture.api.call(method, path, { body });
      const more = await fixture.api.call(method, path, { body: { ...body, newerField: { a: [1] }, toString: 'x' } });
      // A job of that target may have ended meanwhile, or not.
      const isSubmission = jobKindDocs.some(({ paths }) => `/api/v1${path}` in paths);
      expect(isSubmission ? [200, 409, 410] : [plain.status]).toContain(more.status);
      expect(more.headers['x-larder-ignored']).toBe('newerField,toString');
      if (more.status === 200) expect(more.body.ignored).toEqual(['newerField', 'toString']);
      if (more.status === 409 && isSubmission) {
        expect(more.body.ignored).toMatchObject({ newerField: { a: [1] }, toString: 'x' });
      }
    });

    it('returns 415 for another or no content type, and accepts charsets', async () => {
      const text = JSON.stringify(body);
      const odd = [
        'text/plain',
        'application/xml',
        'application/x-www-form-urlencoded',
        'multipart/form-data; boundary=x',
      ];
      for (const type of odd)
        expect({ type, ...(await raw(text, { 'content-type': type })) }).toMatchObject({ status: 415 });
      for (const type of ['nonsense', ';', 'application/', 'application/json/x']) {
        expect([400, 415]).toContain((await raw(text, { 'content-type': type })).status);
      }
      expect([400, 415]).toContain((await raw(text, {})).status);
      for (const type of ['application/json; charset=utf-8', 'APPLICATION/JSON']) {
        expect((await raw(text, { 'content-type': type })).status).not.toBe(415);
      }
    });

    it('returns 400 for invalid UTF-8, and ignores a byte order mark', async () => {
      expect(await raw(Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d]))).toMatchObject({
        status: 400,
        body: { status: 'the request body must be JSON in UTF-8' },
      });
      expect(await raw(`\ufeff{}`)).toMatchObject({
        status: 400,
        body: { status: 'Required parameters not provided' },
      });
    });

    it('returns 415 for a compressed body', async () => {
      const packed = gzipSync(JSON.stringify(body));
      for (const encoding of ['gzip', 'br', 'GZIP', 'gzip, identity']) {
        const answer = await raw(packed, { ...json, 'content-encoding': encoding });
        expect({ encoding, ...answer }).toMatchObject({
          status: 415,
          headers: { 'accept-encoding': 'identity' },
          body: { status: expect.stringMatching(/Content-Encoding/) as string },
        });
      }
    });

    const pathFieldNames = ['path', 'paths', 'files', 'ufs'].filter((name) => name in body);
    for (const field of pathFieldNames)
      it(`returns 400 naming ${field} for an invalid path, and accepts unusual paths unchanged`, async () => {
        const place = (value: string) => ({ ...body, [field]: Array.isArray(body[field]) ? [value] : value });
        for (const value of badPaths) {
          const answer = await fixture.api.call(method, path, { body: place(value) });
          expect({ value, ...answer }).toMatchObject({ status: 400 });
          expect(answer.body.status).toContain(field);
        }
        for (const value of field === 'ufs' ? [] : oddPaths) {
          const answer = await fixture.api.call(method, path, { body: place(value) });
          expect({ value, ...answer }).toMatchObject({ status: expect.any(Number) as number });
          expect(answer.status).toBeLessThan(500);
        }
      });
  });

  it('fault 19: returns 413 for bodies of 10 MB on every route, with constant memory', async () => {
    const big = [
      `{"path":"${'x'.repeat(10 * MiB)}"}`,
      `{"files":[${'"s3://a/b",'.repeat(MiB)}"s3://a/b"]}`,
      '['.repeat(10 * MiB),
    ];
    for (const { method, path } of targets) await fixture.api.call(method, path, { raw: big[0], headers: json });
    const before = residentBytes();
    for (const { method, path } of targets) {
      for (const raw of big) {
        expect(await fixture.api.call(method, path, { raw, headers: json })).toMatchObject({ status: 413 });
      }
    }
    expect(residentBytes() - before).toBeLessThan(48 * MiB);
  });

  it.each(['path=/a%FF', 'path=/100%', 'id=%C3', 'anything=%zz', '%ff=1'])(
    'returns 400 for a query that cannot be decoded: %s',
    async (query) => {
      for (const path of ['/load', '/quota', '/mount']) {
        expect({ path, ...(await fixture.api.get(`${path}?${query}`)) }).toMatchObject({
          status: 400,
          body: { status: expect.stringContaining(`percent-encoding, with %25 for a %: ${query}`) as string },
        });
      }
    },
  );

  it.each(['id[]=a', 'id%5B%5D=a', 'id[0]=a'])('returns 400 for a parameter as a list: %s', async (query) => {
    expect(await fixture.api.get(`/load?${query}`)).toMatchObject({
      status: 400,
      body: { status: expect.stringContaining('did you mean id?') as string },
    });
  });

  it('returns 404 for unknown routes and 405 with Allow for wrong methods, in the common shape', async () => {
    for (const path of [
      '',
      '/',
      '/x',
      '/load/x',
      '/load/x/failed_files/y',
      '/LOAD',
      '/load//',
      '//',
      '//api',
      '//api/v2/load',
    ]) {
      expect({ path, ...(await fixture.api.get(path)) }).toMatchObject({
        status: 404,
        body: { status: expect.any(String) as string },
      });
    }
    for (const { path, method } of fixture.api.operations()) {
      const target = path.startsWith('/api/v1') ? path.slice('/api/v1'.length).replace('{id}', 'x') : `/${path}`;
      const own = fixture.api
        .operations()
        .filter((one) => one.path === path)
        .map((one) => one.method.toUpperCase());
      for (const wrongMethod of (['PUT', 'PATCH', 'OPTIONS', 'POST', 'DELETE', 'GET'] as const).filter(
        (one) => !own.includes(one),
      )) {
        const answer = await fixture.api.call(wrongMethod, target);
        expect({ wrongMethod, target, method, ...answer }).toMatchObject({ status: 405 });
        const allow = String(answer.headers.allow).split(', ');
        expect(allow.filter((one) => one !== 'HEAD').sort()).toEqual(own.sort());
      }
    }
  });

  it('ignores a slash behind a route', async () => {
    for (const path of ['/load', '/mount', '/nodes', '/quota']) {
      expect((await fixture.api.get(`${path}/`)).body).toEqual((await fixture.api.get(path)).body);
    }
    const answer = await fixture.api.call('PUT', '/load/');
    expect(answer).toMatchObject({ status: 405 });
    expect(answer.headers.allow).toContain('POST');
  });

  it('answers HEAD like GET, without the body', async () => {
    for (const path of ['/load', '/mount', '/nodes', '/quota', '/openapi.json', '/docs']) {
      expect({ path, status: (await fixture.api.call('HEAD', path)).status }).toEqual({ path, status: 200 });
    }
    expect((await fixture.api.call('HEAD', '/load?id=nobody')).status).toBe(404);
  });

  it('returns 4xx in the common shape for odd URLs', async () => {
    const odd: [HttpMethod, string][] = [
      ...['/%zz', '/load%', '/load/%ff/failed_files', `/load/${'x'.repeat(5000)}/failed_files`].map(
        (path) => ['GET', path] as [HttpMethod, string],
      ),
      ['GET', '/%2e%2e/load'],
      ['GET', '/../load'],
      ['GET', '//api//v1//load'],
      ['GET', '/load;x=1'],
      ['POST', '/%zz'],
    ];
    for (const [method, path] of odd) {
      const answer = await fixture.api.call(method, path);
      expect({ path: path.slice(0, 50), status: answer.status }).toMatchObject({
        status: expect.any(Number) as number,
      });
      expect(answer.status).toBeGreaterThanOrEqual(400);
      expect(answer.status).toBeLessThan(500);
    }
  });

  it('returns 4xx for odd queries, or takes them literally', async () => {
    for (const route of ['/mount', '/quota', '/ttl', '/priority']) {
      for (const path of badPaths.filter((one) => one.isWellFormed())) {
        expect((await fixture.api.get(`${route}?path=${encodeURIComponent(path)}`)).status).toBe(400);
      }
      for (const path of oddPaths) {
        const answer = await fixture.api.get(`${route}?path=${encodeURIComponent(path)}`);
        expect([200, 404]).toContain(answer.status);
      }
      expect((await fixture.api.get(`${route}?path=%zz`)).status).toBe(400);
      expect((await fixture.api.get(`${route}?path=%2Fdata%ff`)).status).toBeLessThan(500);
      expect((await fixture.api.get(`${route}?other[a]=1&other[]=2&__proto__[x]=1&constructor=1`)).status).toBe(200);
    }
    for (const query of [
      '/load?id=a&id=b',
      '/mount?path=/a&path=/b',
      '/nodes?id=a&id=b',
      '/file_index?count=1&count=2',
    ]) {
      const answer = await fixture.api.get(query);
      expect({ query, ...answer }).toMatchObject({
        status: 400,
        body: { status: expect.stringMatching(/once/) as string },
      });
    }
    for (const sequence of ['x', '-1', '1.5', '9'.repeat(30)]) {
      expect((await fixture.api.get('/load', { 'x-larder-sequence': sequence })).body.status).toMatch(
        /X-Larder-Sequence/,
      );
    }
  });

  it('is still healthy afterwards', async () => {
    expect((await fixture.api.get('//readyz')).status).toBe(200);
    expect((await fixture.api.get('/nodes')).body.result).toHaveLength(2);
  });
}

/** The body with a field, named by a dotted path, set to a value. */
export function withField(body: Record<string, unknown>, field: string, value: unknown): Record<string, unknown> {
  const [name, inner] = field.split('.');
  return { ...body, [name]: inner === undefined ? value : { ...(body[name] as object | undefined), [inner]: value } };
}
