import fastify from 'fastify';
import { acceptJsonBodies, parseJson } from './json-body.js';

it.each([
  ['', undefined],
  ['  ', undefined],
  ['\ufeff{"a":1}', { a: 1 }],
  ['\ufeff', undefined],
  ['{"a":["x","[[[[","\\"]"]}', { a: ['x', '[[[[', '"]'] }],
  ['null', null],
  ['{"a":{"b":false, \n}\n,}', { a: { b: false } }],
  ['{"a":",}","b\\",}":"\\\\",}', { a: ',}', 'b",}': '\\' }],
])('%s is read', (text, value) => {
  expect(parseJson(text)).toEqual(value);
});

it.each([
  ['{', /not valid JSON/],
  ['\ufeff\ufeff{}', /not valid JSON/],
  ['{"a":\u0001\u001b[31m}', /^[^\p{Cc}]*not valid JSON[^\p{Cc}]*$/u],
  ['[1,]', /not valid JSON/],
  ['{"a":1,,}', /not valid JSON/],
  ['{,}', /not valid JSON/],
  ['{"a":1,', /not valid JSON/],
  ['{"constructor":1,}', /must not hold the key 'constructor'/],
  ['{"__proto__":{"a":1}}', /must not hold the key '__proto__'/],
  ['{"a":{"constructor":1}}', /must not hold the key 'constructor'/],
  ['['.repeat(100_000), /nested deeper than 32/],
  [`${'{"a":'.repeat(40)}1${'}'.repeat(40)}`, /nested deeper than 32/],
])('fault 19: %.20s is refused', (text, reason) => {
  expect(() => parseJson(text)).toThrow(reason);
});

it('a body does not change prototypes', () => {
  expect(() => parseJson('{"__proto__":{"polluted":true}}')).toThrow();
  expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
});

describe('bytes', () => {
  const app = fastify();
  acceptJsonBodies(app);
  app.setErrorHandler((error: Error, _request, reply) => reply.code(400).send(JSON.stringify(error.message)));
  app.post('/', (request, reply) => reply.send(request.body as object));
  afterAll(() => app.close());
  const post = (payload: Buffer, type = 'application/json') =>
    app.inject({ method: 'POST', url: '/', payload, headers: { 'content-type': type } });

  it.each<[string, Buffer]>([
    ['a byte that begins nothing', Buffer.concat([Buffer.from('{"path":"/a'), Buffer.of(0xff), Buffer.from('"}')])],
    ['a character cut short', Buffer.concat([Buffer.from('{"path":"/a'), Buffer.of(0xc3), Buffer.from('"}')])],
    ['a lone surrogate', Buffer.concat([Buffer.from('{"path":"/a'), Buffer.of(0xed, 0xa0, 0x80), Buffer.from('"}')])],
    ['UTF-16', Buffer.from('\ufeff{"path":"/a"}', 'utf16le')],
    ['Latin-1', Buffer.from('{"path":"/caf\u00e9"}', 'latin1')],
  ])('%s is refused', async (_what, body) => {
    const answer = await post(body);
    expect([answer.statusCode, answer.json()]).toEqual([400, 'the request body must be JSON in UTF-8']);
  });

  it('all of Unicode is read, with any charset in the type', async () => {
    const body = Buffer.from('{"path":"/café 数据 🗄"}');
    expect((await post(body, 'application/json; charset=ISO-8859-1')).json()).toEqual({ path: '/café 数据 🗄' });
  });
});
