import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { clusterSuite, eventually, natsUrlFor, TcpProxy } from '#testing';

/** One on which one request follows another. */
class KeptConnection {
  private received = '';

  private constructor(private readonly socket: Socket) {
    socket.on('data', (chunk: Buffer) => (this.received += chunk.toString()));
    // What became of it is seen by what was received.
    socket.on('error', () => undefined);
  }

  static async open(baseUrl: string): Promise<KeptConnection> {
    const socket = connect(Number(new URL(baseUrl).port), '127.0.0.1');
    await once(socket, 'connect');
    return new KeptConnection(socket);
  }

  /** Head and body of the answer, or as much as comes before the connection ends. */
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

/** What was found of processes that are told to stop while something else goes on. */
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

    test('a coordinator answers whoever was let in at the last moment and speaks only when nobody else is let in', async () => {
      const { process, api } = cluster.coordinators[0];
      const early = await connected(api.baseUrl);
      const ended = process.stop();
      await eventually('nobody is let in any more', () => isRefused(api.baseUrl), { everyMs: 10 });
      let answer = '';
      early.on('data', (chunk: Buffer) => (answer += chunk.toString()));
      early.write('GET /api/v1/mount HTTP/1.1\r\nHost: localhost\r\n\r\n');
      await once(early, 'close');
      expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
      expect(await ended).toMatchObject({ code: 0 });
    });

    /** Connections that wait for a next request were closed with the port, whatever was on its way on them. */
    test('a coordinator answers on connections that were kept although nobody else is let in, and says that it ends', async () => {
      const { process, api } = cluster.coordinators[0];
      await process.restart();
      const kept = await Promise.all(Array.from({ length: 40 }, () => KeptConnection.open(api.baseUrl)));
      for (const connection of kept) expect(await connection.ask()).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
      const ended = process.stop();
      await eventually('nobody is let in any more', () => isRefused(api.baseUrl), { everyMs: 5 });
      const answers = await Promise.all(kept.map((connection) => connection.ask()));
      for (const answer of answers) expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*connection: close\r\n/i);
      expect(await ended).toMatchObject({ code: 0 });
    });

    /** It waited for NATS until its time was over, and ended in the middle of what its cache wrote. */
    test('a worker closes its cache in good order although NATS swallows everything', async () => {
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

    test('a coordinator ends although NATS swallows everything', async () => {
      const { process } = cluster.coordinators[1];
      process.overrides['LARDER_NATS_URL'] = natsUrlFor('coordinator', proxy.address);
      await process.restart();
      proxy.setMode({ kind: 'blackhole' });
      expect(await process.stop()).toMatchObject({ code: 0 });
    });
  },
);
