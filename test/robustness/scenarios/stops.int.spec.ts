import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { clusterSuite, eventually, natsUrlFor, TcpProxy } from '#testing';

/** A connection for several requests, one after another. */
class KeptConnection {
  private received = '';

  private constructor(private readonly socket: Socket) {
    socket.on('data', (chunk: Buffer) => (this.received += chunk.toString()));
    // The received bytes show the outcome.
    socket.on('error', () => undefined);
  }

  static async open(baseUrl: string): Promise<KeptConnection> {
    const socket = connect(Number(new URL(baseUrl).port), '127.0.0.1');
    await once(socket, 'connect');
    return new KeptConnection(socket);
  }

  /** Head and body of the answer, or the part that arrives before the connection ends. */
  async ask(): Promise<string> {
    this.received = '';
    this.socket.write('GET /api/v1/mount HTTP/1.1\r\nHost: localhost\r\n\r\n');
    while (!this.isWhole() && !this.socket.destroyed) {
      await Promise.race([once(this.socket, 'data'), once(this.socket, 'close')]).catch(() => undefined);
    }
    return this.received;
  }

  private isWhole(): boolean {
    const [head, body] = this.received.split('\r\n\r\n', 2);
    return body !== undefined && body.length >= Number(/content-length: (\d+)/i.exec(head)?.[1]);
  }
}

/** Findings about processes that are told to stop during other activity. */
clusterSuite(
  'the end of a process',
  { coordinators: 2, workers: 0, env: { LARDER_DRAIN_MS: '1000' }, testTimeoutMs: 60_000 },
  ({ cluster, test }) => {
    let proxy: TcpProxy;

    beforeAll(async () => {
      proxy = await TcpProxy.start({ target: `127.0.0.1:${cluster.nats.port}` });
    });

    afterAll(async () => {
      await proxy?.stop();
    });

    async function connected(baseUrl: string): Promise<Socket> {
      const socket = connect(Number(new URL(baseUrl).port), '127.0.0.1');
      await once(socket, 'connect');
      return socket;
    }

    async function isRefused(baseUrl: string): Promise<boolean> {
      const socket = await connected(baseUrl).catch(() => undefined);
      socket?.destroy();
      return socket === undefined;
    }

    test('a coordinator answers a connection that was accepted just before the port closed', async () => {
      const { process, api } = cluster.coordinators[0];
      const early = await connected(api.baseUrl);
      const ended = process.stop();
      await eventually('new connections are refused', () => isRefused(api.baseUrl), { everyMs: 10 });
      let answer = '';
      early.on('data', (chunk: Buffer) => (answer += chunk.toString()));
      early.write('GET /api/v1/mount HTTP/1.1\r\nHost: localhost\r\n\r\n');
      await once(early, 'close');
      expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
      expect(await ended).toMatchObject({ code: 0 });
    });

    /** Idle connections were closed with the port, although requests could be on their way. */
    test('a coordinator answers on open connections after its port is closed, with connection: close', async () => {
      const { process, api } = cluster.coordinators[0];
      await process.restart();
      const kept = await Promise.all(Array.from({ length: 40 }, () => KeptConnection.open(api.baseUrl)));
      for (const connection of kept) expect(await connection.ask()).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
      const ended = process.stop();
      await eventually('new connections are refused', () => isRefused(api.baseUrl), { everyMs: 5 });
      const answers = await Promise.all(kept.map((connection) => connection.ask()));
      for (const answer of answers) expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*connection: close\r\n/i);
      expect(await ended).toMatchObject({ code: 0 });
    });

    /** The worker waited for NATS until its time limit, and ended while its cache was writing. */
    test('a worker closes its cache properly although NATS does not answer', async () => {
      const { process, cacheDir } = await cluster.startWorker();
      process.overrides['LARDER_NATS_URL'] = natsUrlFor('worker', proxy.address);
      await process.restart();
      const lock = join(cacheDir, 'lock');
      expect(existsSync(lock)).toBe(true);
      proxy.setMode({ kind: 'blackhole' });
      expect(await process.stop()).toMatchObject({ code: 0 });
      expect(existsSync(lock)).toBe(false);
      proxy.setMode({ kind: 'pass' });
    });

    test('a coordinator ends although NATS does not answer', async () => {
      const { process } = cluster.coordinators[1];
      process.overrides['LARDER_NATS_URL'] = natsUrlFor('coordinator', proxy.address);
      await process.restart();
      proxy.setMode({ kind: 'blackhole' });
      expect(await process.stop()).toMatchObject({ code: 0 });
    });
  },
);
