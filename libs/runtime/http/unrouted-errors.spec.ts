import { once } from 'node:events';
import { connect, type AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { fastify, type FastifyInstance } from 'fastify';
import { unroutedErrors } from './unrouted-errors.js';

describe('a request that reaches no route', () => {
  let server: FastifyInstance;
  let port: number;

  beforeAll(async () => {
    server = fastify({ ...unroutedErrors });
    await server.listen({ port: 0, host: '127.0.0.1' });
    port = (server.server.address() as AddressInfo).port;
  });
  afterAll(() => server.close());

  /** The status line and the body of the answer to exactly these bytes. */
  async function answerTo(bytes: string): Promise<{ line: string; body: unknown }> {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    socket.write(bytes);
    const [head, body] = (await text(socket)).split('\r\n\r\n');
    return { line: head.split('\r\n', 1)[0], body: JSON.parse(body) as unknown };
  }

  it.each([
    [
      'a broken escape',
      'GET /%zz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
      /^HTTP\/1.1 400 /,
      /the URL is not valid/,
    ],
    ['no HTTP', 'hello\r\n\r\n', /^HTTP\/1.1 400 /, /not valid HTTP/],
    ['an endless URL', `GET /${'x'.repeat(20_000)} HTTP/1.1\r\nHost: x\r\n\r\n`, /^HTTP\/1.1 431 /, /too long/],
  ])('gets an error in the common shape: %s', async (_name, bytes, line, status) => {
    const answer = await answerTo(bytes);
    expect(answer.line).toMatch(line);
    expect(answer.body).toEqual({ status: expect.stringMatching(status) as string });
  });
});
