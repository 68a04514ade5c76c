import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { buffer } from 'node:stream/consumers';
import { httpLimits, limitRequests } from './http-limits.js';
import { refuseBrokenHttp } from './unrouted-errors.js';

describe('a server with time limits for its clients', () => {
  let server: Server;
  let port: number;

  beforeAll(async () => {
    // Shorter than in production, to keep the test short. The rate for bodies is that of production.
    server = createServer({ ...httpLimits, headersTimeout: 1_000 }, (request, response) => {
      buffer(request).then(
        (body) => response.end(JSON.stringify({ bytes: body.length })),
        () => undefined,
      );
    });
    limitRequests(server);
    server.on('clientError', refuseBrokenHttp);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    port = (server.address() as AddressInfo).port;
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });

  const head = (length: number) => `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${length}\r\n`;

  /** Sends a piece at intervals until the other side ends the connection. */
  async function trickle(first: string, piece: string, everyMs: number): Promise<{ answer: string; ms: number }> {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    const begunMs = performance.now();
    socket.write(first);
    const timer = setInterval(() => socket.write(piece), everyMs);
    socket.once('close', () => clearInterval(timer));
    const answer = await text(socket);
    clearInterval(timer);
    socket.destroy();
    return { answer, ms: performance.now() - begunMs };
  }

  it.each([
    ['a body at ten bytes a second', `${head(100_000)}\r\n`, 'x'],
    ['the same in chunks', 'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n', '1\r\nx\r\n'],
    ['headers at ten bytes a second', head(1), 'X'],
  ])(
    'answers %s with 408 in the common shape, and closes the connection',
    async (_name, first, piece) => {
      const { answer, ms } = await trickle(first, piece, 100);
      expect(answer).toMatch(/^HTTP\/1\.1 408 Request Timeout\r\n/);
      expect(JSON.parse(answer.split('\r\n\r\n')[1])).toEqual({ status: 'the request took too long to arrive' });
      expect(ms).toBeLessThan(15_000);
    },
    30_000,
  );

  it('waits for a body that comes slowly, but fast enough', async () => {
    const piece = 'x'.repeat(1_000);
    // It takes longer than the grace time, so the rate counts.
    const { answer } = await trickle(`${head(16_000)}Connection: close\r\n\r\n`, piece, 400);
    expect(answer).toMatch(/200 OK/);
    expect(answer).toContain('{"bytes":16000}');
  }, 30_000);

  it('sends a body with 417 as with every error', async () => {
    const socket = connect(port, '127.0.0.1');
    socket.write('POST / HTTP/1.1\r\nHost: x\r\nExpect: 200-maybe\r\nContent-Length: 0\r\n\r\n');
    const answer = await text(socket);
    expect(answer).toMatch(/^HTTP\/1\.1 417 /);
    expect(answer).toMatch(/\{"status":"[^"]*100-continue[^"]*"\}/);
  });
});
