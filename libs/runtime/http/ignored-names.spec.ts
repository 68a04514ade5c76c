import fastify, { type FastifyInstance } from 'fastify';
import { Readable } from 'node:stream';
import { acceptJsonBodies } from './json-body.js';
import { nameTheIgnored } from './ignored-names.js';

let app: FastifyInstance;

beforeEach(() => {
  app = fastify();
  acceptJsonBodies(app);
  app.setErrorHandler((error: Error, _request, reply) => reply.code(400).send(JSON.stringify(error.message)));
  const body = { paths: undefined, options: { replicas: undefined, sync: undefined }, free: undefined };
  nameTheIgnored(
    app,
    new Map([
      ['POST /job', { query: [], body }],
      ['GET /job', { query: ['id', 'state', 'path'] }],
      ['GET /stream', { query: [] }],
    ]),
  );
  app.post('/job', (_request, reply) => reply.send({ id: 'x' }));
  app.get('/job', (_request, reply) => reply.code(409).send({ id: 'x', ignored: { replicas: 2 } }));
  app.get('/stream', (_request, reply) => reply.send(Readable.from(['a'])));
  app.get('/other', (_request, reply) => reply.send({ ok: true }));
});

afterEach(() => app.close());

const post = async (payload: object, url = '/job') => app.inject({ method: 'POST', url, payload });

it.each<[object, string]>([
  [{ pahts: ['/a'] }, 'pahts is not known here: did you mean paths?'],
  [{ path: '/a' }, 'path is not known here: did you mean paths?'],
  [{ options: { replicaz: 2 } }, 'options.replicaz is not known here: did you mean options.replicas?'],
  [{ options: { Sync: true } }, 'options.Sync is not known here: did you mean options.sync?'],
])('%j is refused, naming the known field', async (payload, sentence) => {
  const answer = await post(payload);
  expect({ status: answer.statusCode, body: answer.json<string>() }).toEqual({ status: 400, body: sentence });
});

it('a name that resembles no known one is in the answer, with its place', async () => {
  const answer = await post(
    { newer: 1, options: { prefetch: { a: 1 }, sync: true }, free: { anything: 1 } },
    '/job?x=1',
  );
  expect(answer.json()).toEqual({ id: 'x', ignored: ['x', 'newer', 'options.prefetch'] });
  expect(answer.headers['x-larder-ignored']).toBe('x,newer,options.prefetch');
});

it('an answer without ignored names has no such field', async () => {
  const answer = await post({ paths: ['/a'], options: { replicas: 1 } });
  expect(answer.json()).toEqual({ id: 'x' });
  expect(answer.headers).not.toHaveProperty('x-larder-ignored');
  expect((await app.inject('/other?anything=1')).json()).toEqual({ ok: true });
});

it('a misspelt or repeated parameter is refused by name; an unknown one is named, on any answer', async () => {
  expect((await app.inject('/job?stat=FAILED')).json()).toBe('stat is not known here: did you mean state?');
  expect((await app.inject('/job?state=a&state=b')).json()).toBe('state may be given once only');
  expect((await app.inject('/job?id[]=a')).json()).toBe('id[] is not known here: did you mean id?');
  expect((await app.inject('/job?path%5B0%5D=a')).json()).toBe('path[0] is not known here: did you mean path?');
  const conflict = await app.inject('/job?nobody=1&nobody=2');
  expect(conflict.json()).toEqual({ id: 'x', ignored: { replicas: 2, nobody: ['1', '2'] } });
  const stream = await app.inject('/stream?caf%C3%A9=1');
  expect([stream.body, stream.headers['x-larder-ignored']]).toEqual(['a', 'caf%C3%A9']);
  expect((await app.inject({ method: 'HEAD', url: '/job?stat=1' })).statusCode).toBe(400);
});

it('dangerous names have no effect', async () => {
  const answer = await app.inject('/job?other[a]=1&other[]=2&__proto__[x]=1&constructor=1&a%0d%0ab=1');
  expect(answer.statusCode).toBe(409);
  expect(answer.headers['x-larder-ignored']).toContain('a%0D%0Ab');
  expect(({} as Record<string, unknown>).x).toBeUndefined();
  const many = await post(Object.fromEntries(Array.from({ length: 50_000 }, (_, i) => [`unknown-${i}`, 1])));
  expect(many.json<{ ignored: string[] }>().ignored).toHaveLength(100);
});
