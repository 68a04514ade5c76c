import Fastify, { type FastifyInstance } from 'fastify';
import { Readable } from 'node:stream';
import { DomainError } from '#kernel';
import { currentPast, nowMs, type Past } from '../past.js';
import { serveThePast } from './as-of.js';

const then: Past = { sequence: 17, nowMs: 1000, states: new Map() };

describe('serveThePast', () => {
  let fastify: FastifyInstance;
  let visits: { asOf: string; signal: AbortSignal }[];
  let arrive: (past: Past) => void;
  let refuse: (error: unknown) => void;
  const visit = (asOf: string, signal: AbortSignal) => {
    visits.push({ asOf, signal });
    return new Promise<Past>((resolve, reject) => {
      arrive = resolve;
      refuse = reject;
      signal.addEventListener('abort', () => reject(signal.reason as Error));
    });
  };

  beforeEach(() => {
    visits = [];
    fastify = Fastify();
    fastify.setErrorHandler((error, _request, reply) => {
      const { code, message, details } = error as DomainError;
      void reply.code(details?.httpStatus ?? 400).send({ code, message });
    });
    serveThePast(fastify, { visit }, { '/api/v1/own': 'itself', '/api/v1/none': { why: 'asOf: no history' } });
    const handler = async () => {
      await new Promise(setImmediate);
      return { sequence: currentPast()?.sequence ?? null, now: currentPast() ? nowMs() : null };
    };
    for (const url of ['/api/v1/thing', '/api/v1/own', '/api/v1/none', '/elsewhere']) fastify.get(url, handler);
    fastify.post('/api/v1/thing', handler);
  });

  afterEach(() => fastify.close());

  const get = (url: string, method: 'GET' | 'HEAD' | 'POST' = 'GET') => fastify.inject({ method, url });

  it('runs the handler, and what it awaits, in the past', async () => {
    const answer = get('/api/v1/thing?asOf=17');
    while (visits.length === 0) await new Promise(setImmediate);
    arrive(then);
    const { headers, body } = await answer;
    expect(headers['x-larder-as-of']).toBe('17');
    expect(JSON.parse(body)).toEqual({ sequence: 17, now: 1000 });
    expect(currentPast()).toBeUndefined();
  });

  it('leaves requests about the present alone, and routes that handle `asOf` themselves', async () => {
    for (const url of ['/api/v1/thing', '/api/v1/own?asOf=5', '/elsewhere?asOf=5']) {
      const { statusCode, headers, body } = await get(url);
      expect([statusCode, headers['x-larder-as-of'], JSON.parse(body)]).toEqual([
        200,
        undefined,
        { sequence: null, now: null },
      ]);
    }
    expect(visits).toEqual([]);
  });

  it.each([
    ['POST', '/api/v1/thing?asOf=5', 400, 'as-of-on-write'],
    ['GET', '/api/v1/thing?asOf=', 400, 'bad-moment'],
    ['GET', '/api/v1/thing?asOf=1&asOf=2', 400, 'repeated-parameter'],
    ['GET', '/api/v1/none?asOf=1', 501, 'no-history'],
  ] as const)('%s %s: %i', async (method, url, status, code) => {
    const answer = await get(url, method);
    expect([answer.statusCode, (JSON.parse(answer.body) as { code: string }).code]).toEqual([status, code]);
    expect(visits).toEqual([]);
  });

  it('passes on the error of a look-up', async () => {
    const answer = get('/api/v1/thing?asOf=999');
    while (visits.length === 0) await new Promise(setImmediate);
    refuse(new DomainError('Malformed', 'as-of-outside', 'asOf lies behind the end'));
    expect(JSON.parse((await answer).body)).toMatchObject({ code: 'as-of-outside' });
  });

  it('gives up when the client has gone', async () => {
    const address = await fastify.listen({ port: 0, host: '127.0.0.1' });
    const controller = new AbortController();
    const asked = fetch(`${address}/api/v1/thing?asOf=17`, { signal: controller.signal }).catch(() => 'gone');
    while (visits.length === 0) await new Promise(setImmediate);
    expect(visits[0].signal.aborted).toBe(false);
    controller.abort();
    expect(await asked).toBe('gone');
    while (!visits[0].signal.aborted) await new Promise((again) => setTimeout(again, 5));
  });

  it('does not give up on an answer that was read to its end', async () => {
    fastify.get('/api/v1/long', (_request, reply) => reply.send(Readable.from(['a', 'b'])));
    const address = await fastify.listen({ port: 0, host: '127.0.0.1' });
    const answer = fetch(`${address}/api/v1/long?asOf=17`, { headers: { connection: 'close' } });
    while (visits.length === 0) await new Promise(setImmediate);
    arrive(then);
    expect(await (await answer).text()).toBe('ab');
    await fastify.close();
    expect(visits[0].signal.aborted).toBe(false);
  });
});
