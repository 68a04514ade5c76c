import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { eventually, startCluster, TcpProxy, type TestCluster, natsUrlFor } from '#testing';

/** What was found of processes that are told to stop while something else goes on. */
describe('the end of a process', () => {
  let cluster: TestCluster;
  let proxy: TcpProxy;

  beforeAll(async () => {
    cluster = await startCluster({ coordinators: 2, workers: 0, env: { LARDER_DRAIN_MS: '1000' } });
    proxy = await TcpProxy.start({ target: `127.0.0.1:${cluster.nats.port}` });
  }, 120_000);
  afterAll(async () => {
    await cluster?.dispose();
    await proxy?.stop();
  });

  const test = (name: string, body: () => Promise<void>) => it(name, () => cluster.watch(body), 60_000);

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
});
