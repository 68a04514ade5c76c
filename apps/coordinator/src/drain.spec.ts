import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import fastify, { type FastifyInstance } from 'fastify';
import { Shutdown } from '#runtime';
import { RequestDrain } from './drain.js';

describe('the end of the service of requests', () => {
  let app: FastifyInstance;
  let baseUrl: string;
  let drain: RequestDrain;
  let shutdown: Shutdown;

  async function listen(limitMs: number): Promise<void> {
    app = fastify({ forceCloseConnections: true });
    shutdown = new Shutdown();
    drain = new RequestDrain(app, shutdown, { limitMs });
    app.get('/quick', () => Promise.resolve({ status: 'ok' }));
    app.get('/never', () => new Promise(() => undefined));
    app.get('/at-the-end', () => once(shutdown.closing, 'abort').then(() => ({ status: 'ended' })));
    await app.listen({ port: 0, host: '127.0.0.1' });
    baseUrl = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`;
  }
  afterEach(() => app.close());

  /** Resolves when the server has the request. */
  async function asked(path: string): Promise<{ answer: Promise<Response> }> {
    const arrived = once(app.server, 'request');
    const answer = fetch(baseUrl + path);
    await arrived;
    return { answer };
  }

  it('lets running requests finish, and tells those that wait on purpose to answer', async () => {
    await listen(10_000);
    const { answer } = await asked('/at-the-end');
    await drain.run(app.server, 0);
    expect(await (await answer).json()).toEqual({ status: 'ended' });
    await expect(fetch(`${baseUrl}/quick`)).rejects.toMatchObject({ cause: { code: 'ECONNREFUSED' } });
  });

  it('answers requests that are unfinished when the time is over, instead of cutting them off', async () => {
    await listen(50);
    const { answer } = await asked('/never');
    await drain.run(app.server, 0);
    await app.close();
    const { status, headers } = await answer;
    expect([status, headers.get('retry-after'), headers.get('connection')]).toEqual([503, '1', 'close']);
    expect(await (await answer).json()).toEqual({ status: expect.stringContaining('ask another') as string });
  });
});
