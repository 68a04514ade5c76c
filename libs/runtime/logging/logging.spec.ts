import { Writable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { Logger as NestLogger } from '@nestjs/common';
import { fastify } from 'fastify';
import { pino } from 'pino';
import type { RecordedEvent } from '#kernel';
import { commitLines } from './commit-lines.js';
import { NestPinoLogger } from './nest-logger.js';
import { logRequests, noteFault } from './request-lines.js';

type Line = Record<string, unknown> & { level: string; msg: string };

/** A logger, and the lines that it writes. */
function recorder(): { logger: pino.Logger; lines: Line[] } {
  const lines: Line[] = [];
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(JSON.parse(chunk.toString()) as Line);
      done();
    },
  });
  const formatters = { level: (level: string) => ({ level }) };
  return { logger: pino({ level: 'trace', base: null, timestamp: false, formatters }, stream), lines };
}

describe('lines of Nest’s logger', () => {
  it('carry context, fields and stack, if there are any', () => {
    const { logger, lines } = recorder();
    NestLogger.overrideLogger(new NestPinoLogger(logger));
    const own = new NestLogger('jobs');
    own.error('broken');
    own.warn('odd');
    own.log('said');
    own.log({ msg: 'job done', jobId: 'j1' });
    own.debug('detail');
    own.error(new Error('thrown'));
    new NestPinoLogger(logger).log('Mapped', 'RouterExplorer');
    NestLogger.overrideLogger(false);
    expect(lines.map(({ err, ...line }) => ({ ...line, ...(err ? { err: 'an error' } : {}) }))).toEqual([
      { level: 'error', context: 'jobs', msg: 'broken' },
      { level: 'warn', context: 'jobs', msg: 'odd' },
      { level: 'info', context: 'jobs', msg: 'said' },
      { level: 'info', context: 'jobs', jobId: 'j1', msg: 'job done' },
      { level: 'debug', context: 'jobs', msg: 'detail' },
      { level: 'error', context: 'jobs', msg: 'thrown', err: 'an error' },
      { level: 'debug', context: 'RouterExplorer', msg: 'Mapped' },
    ]);
    expect(JSON.stringify(lines)).not.toContain('null');
  });
});

describe('lines of commits', () => {
  it('describe the events in words, with the id of the request and without secrets', () => {
    const { logger, lines } = recorder();
    const context = { id: 'e', v: 1, at: '2026-01-01T00:00:00Z', actor: 'alice', requestId: 'r1' };
    const event = (type: string, data: object) => ({ ...context, type, data }) as RecordedEvent;
    const tell = commitLines(logger);
    const options = { secretKey: { keyId: 'k', iv: 'x', ciphertext: 'canary', tag: 'x' } };
    tell('namespace', [event('Mounted', { path: '/a/', ufs: 's3://canary/', options })], 4);
    tell('job.j1', [event('JobFinished', { state: 'SUCCEEDED', epoch: 2, totals: {} })], 9);
    tell('job.j1', [event('BatchesPlanned', { epoch: 2, batches: ['canary'] })], 8);
    expect(lines).toEqual([
      { level: 'info', path: '/a/', sequence: 4, requestId: 'r1', actor: 'alice', msg: 'mounted' },
      {
        ...{ level: 'info', jobId: 'j1', epoch: 2, state: 'SUCCEEDED', sequence: 9, requestId: 'r1', actor: 'alice' },
        msg: 'job finished',
      },
      { level: 'debug', jobId: 'j1', epoch: 2, sequence: 8, requestId: 'r1', actor: 'alice', msg: 'batches planned' },
    ]);
  });
});

describe('lines of requests', () => {
  const { logger, lines } = recorder();
  const server = fastify();
  let base: string;
  beforeAll(async () => {
    logRequests(server, { logger, changesAtInfo: true });
    const answer =
      (status: number) => (request: Parameters<typeof noteFault>[0], reply: { code(n: number): unknown }) => {
        reply.code(status);
        if (status >= 400) noteFault(request, 'a-code', status >= 500 ? 'a reason' : undefined);
        return { status: 'x' };
      };
    for (const status of [200, 404, 409, 500, 501, 502, 503]) {
      server.get(`/s/${status}/:id`, answer(status) as never);
      server.post(`/s/${status}/:id`, answer(status) as never);
    }
    server.get('/readyz', answer(503) as never);
    base = await server.listen({ port: 0, host: '127.0.0.1' });
  });
  afterAll(() => server.close());

  async function ask(method: 'GET' | 'POST', url: string, headers: Record<string, string> = {}) {
    const before = lines.length;
    const answer = await fetch(`${base}${url}`, { method, headers });
    await answer.text();
    while (lines.length === before) await setImmediate();
    expect(lines).toHaveLength(before + 1);
    return { answer, line: lines[before] };
  }

  it('are one each, with route, status, time, actor and the id that is also in the answer', async () => {
    const headers = { 'x-request-id': 'r-1', 'x-larder-actor': 'alice', authorization: 'canary' };
    const { answer, line } = await ask('POST', '/s/200/canary?token=canary', headers);
    expect(answer.headers.get('x-request-id')).toBe('r-1');
    const { ms, ...others } = line;
    expect(ms).toEqual(expect.any(Number));
    expect(others).toEqual({
      ...{ level: 'info', method: 'POST', route: '/s/200/:id', status: 200, actor: 'alice', requestId: 'r-1' },
      msg: 'POST /s/200/:id 200',
    });
    const own = await ask('GET', '/s/200/x');
    expect(own.line.requestId).toBe(own.answer.headers.get('x-request-id'));
  });

  it.each([
    ['GET', '/s/200/x', 'debug'],
    ['GET', '/s/404/x', 'debug'],
    ['POST', '/s/409/x', 'info'],
    ['POST', '/s/501/x', 'info'],
    ['GET', '/s/500/x', 'error'],
    ['GET', '/s/502/x', 'warn'],
    ['POST', '/s/503/x', 'warn'],
    ['GET', '/readyz', 'debug'],
    ['GET', '/nowhere?token=canary', 'debug'],
  ] as const)('have the level of the request: %s %s', async (method, url, level) => {
    const { line } = await ask(method, url);
    expect(line.level).toBe(level);
    if (level === 'warn' || level === 'error') expect(line.msg).toContain('a reason');
    expect(JSON.stringify(line)).not.toMatch(/canary|null/);
  });
});
