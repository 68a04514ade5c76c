import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { until } from '#async';
import type { ProxyMode } from './proxy-mode.js';
import { TcpProxy } from './tcp-proxy.js';

describe('a TCP proxy', () => {
  let echo: Server;
  let proxy: TcpProxy;
  const atServer: Socket[] = [];
  const clients: Client[] = [];
  let serverGot: Buffer[] = [];

  beforeEach(async () => {
    serverGot = [];
    echo = createServer({ allowHalfOpen: true }, (socket) => {
      atServer.push(socket);
      socket.on('error', () => undefined);
      socket.on('data', (bytes: Buffer) => {
        serverGot.push(bytes);
        socket.write(bytes);
      });
      socket.on('end', () => socket.end());
    });
    echo.listen(0, '127.0.0.1');
    await once(echo, 'listening');
    proxy = await TcpProxy.start({
      target: `127.0.0.1:${(echo.address() as AddressInfo).port}`,
      random: () => 0.5,
    });
  });
  afterEach(async () => {
    for (const client of clients.splice(0)) client.socket.destroy();
    await proxy.stop();
    for (const socket of atServer.splice(0)) socket.destroy();
    echo.close();
    await once(echo, 'close');
  });

  /** A client that keeps the bytes and the end that it has received. */
  class Client {
    readonly socket: Socket;
    readonly pieces: Buffer[] = [];
    error: string | undefined;
    ended = false;

    constructor() {
      this.socket = connect({ host: '127.0.0.1', port: proxy.port, allowHalfOpen: true });
      this.socket.on('data', (bytes: Buffer) => this.pieces.push(bytes));
      this.socket.on('error', (error: NodeJS.ErrnoException) => (this.error = error.code));
      this.socket.on('end', () => (this.ended = true));
      clients.push(this);
    }

    get got(): string {
      return Buffer.concat(this.pieces).toString();
    }

    /** Sends and waits for the echo. */
    async echoed(text: string): Promise<void> {
      const before = this.got.length;
      this.socket.write(text);
      await until(() => this.got.length >= before + text.length);
      expect(this.got.slice(before)).toBe(text);
    }
  }

  test('passes everything in both directions, and the end of one direction alone', async () => {
    const client = new Client();
    await client.echoed('x'.repeat(3_000_000));
    client.socket.end('last words');
    await until(() => client.ended);
    expect(client.got.endsWith('last words')).toBe(true);
    await until(() => proxy.connections === 0);
  });

  test('cut: resets open connections and refuses new ones until it passes data again', async () => {
    const client = new Client();
    await client.echoed('hello');
    proxy.setMode({ kind: 'cut' });
    await until(() => client.error !== undefined && atServer[0].destroyed);
    expect(client.error).toBe('ECONNRESET');
    const refused = new Client();
    await until(() => refused.error !== undefined);
    expect(atServer).toHaveLength(1);
    proxy.setMode({ kind: 'pass' });
    await new Client().echoed('again');
  });

  test('blackhole: accepts and drops data; a connection that has lost bytes is reset at the end', async () => {
    const [speaker, quiet] = [new Client(), new Client()];
    await Promise.all([speaker.echoed('a'), quiet.echoed('b')]);
    proxy.setMode({ kind: 'blackhole' });
    speaker.socket.write('into the void');
    const late = new Client();
    late.socket.write('anyone?');
    await until(() => proxy.lossy === 2);
    expect(Buffer.concat(serverGot).toString()).toMatch(/^(ab|ba)$/);
    expect([speaker.error, late.error]).toEqual([undefined, undefined]);
    proxy.setMode({ kind: 'pass' });
    await until(() => speaker.error !== undefined && late.error !== undefined);
    await quiet.echoed('still here');
  });

  test('blackhole in one direction: the server receives, the client does not', async () => {
    const client = new Client();
    await client.echoed('a');
    proxy.setMode({ kind: 'blackhole', direction: 'back' });
    client.socket.write('b');
    await until(() => Buffer.concat(serverGot).toString() === 'ab');
    expect(client.got).toBe('a');
    proxy.setMode({ kind: 'pass' });
    await until(() => client.error !== undefined);
    expect(client.got).toBe('a');
  });

  test('latency: each direction takes the given time, plus jitter', async () => {
    const client = new Client();
    await client.echoed('a');
    proxy.setMode({ kind: 'latency', latencyMs: 40, jitterMs: 40 });
    const start = performance.now();
    await client.echoed('b');
    // Twice 40 ms plus half of the jitter. Timers may fire a millisecond early.
    expect(performance.now() - start).toBeGreaterThanOrEqual(118);
    proxy.setMode({ kind: 'latency', latencyMs: 3_600_000 });
    client.socket.write('c');
    await until(() => client.socket.writableLength === 0);
    proxy.setMode({ kind: 'pass' });
    await until(() => client.got === 'abc');
  });

  test('bandwidth: data comes no faster than the limit', async () => {
    const client = new Client();
    await client.echoed('a');
    proxy.setMode({ kind: 'bandwidth', bytesPerSecond: 100_000 });
    const start = performance.now();
    await client.echoed('x'.repeat(20_000));
    expect(performance.now() - start).toBeGreaterThanOrEqual(190);
  });

  test('slice: everything arrives, in pieces', async () => {
    const client = new Client();
    proxy.setMode({ kind: 'slice', maxBytes: 5 });
    await client.echoed('0123456789'.repeat(20));
    expect(client.pieces.length).toBeGreaterThan(20);
  });

  test('truncate: the given number of bytes come back, then the connection breaks', async () => {
    const client = new Client();
    await client.echoed('a');
    proxy.setMode({ kind: 'truncate', afterBytes: 7 });
    client.socket.write('0123456789');
    // Some systems report a reset behind unread bytes as the end. It may also overtake the bytes before it.
    await until(() => client.error !== undefined || client.ended);
    expect('a0123456'.startsWith(client.got)).toBe(true);
    expect(Buffer.concat(serverGot).toString()).toBe('a0123456789');
  });

  test('connections fail without a reachable target; a new target is used', async () => {
    const { target } = proxy;
    for (const nowhere of [undefined, '127.0.0.1:1']) {
      proxy.target = nowhere;
      const client = new Client();
      await until(() => client.error !== undefined);
    }
    proxy.target = target;
    await new Client().echoed('found');
  });

  test('the same random source gives the same delays', async () => {
    const sizes = async (mode: ProxyMode) => {
      let state = 1;
      const random = () => (state = (state * 16_807) % 2_147_483_647) / 2_147_483_647;
      const other = await TcpProxy.start({ target: proxy.target, random });
      other.setMode(mode);
      serverGot = [];
      const socket = connect(other.port, '127.0.0.1');
      socket.end('0123456789'.repeat(5));
      await once(socket.resume(), 'end');
      await other.stop();
      return serverGot.map((piece) => piece.length);
    };
    const first = await sizes({ kind: 'slice', maxBytes: 10 });
    expect(first.length).toBeGreaterThan(5);
    expect(first.reduce((sum, bytes) => sum + bytes, 0)).toBe(50);
  });
});
