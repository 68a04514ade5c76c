import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'nats';
import { availableNatsVersions, natsServerBinary } from '#testing';
import { compareVersions, findNatsServers, startNatsServer } from './index.js';

jest.setTimeout(30_000);

describe('findNatsServers', () => {
  it('puts the named executable first and lists each file once', async () => {
    const { binary } = natsServerBinary(availableNatsVersions()[0]);
    const found = await findNatsServers({ PATH: '', LARDER_NATS_SERVER_BIN: binary }, process.cwd());
    expect(found[0].binary).toBe(binary);
    expect(new Set(found.map((one) => one.binary)).size).toBe(found.length);
  });

  it('leaves out files that are no nats-server', async () => {
    const found = await findNatsServers({ PATH: '', LARDER_NATS_SERVER_BIN: process.execPath }, '/nowhere');
    expect(found.map((one) => one.binary)).not.toContain(process.execPath);
  });

  it('orders versions by number, not by letter', () => {
    expect(['2.10.27', '2.9.10', '2.15.1'].sort(compareVersions)).toEqual(['2.9.10', '2.10.27', '2.15.1']);
  });
});

describe.each(availableNatsVersions())('startNatsServer with %s', (version) => {
  const { binary } = natsServerBinary(version);
  let storeDir: string;
  beforeEach(async () => {
    storeDir = await mkdtemp(join(tmpdir(), 'larder-nats-start-'));
  });
  afterEach(() => rm(storeDir, { recursive: true, force: true }));

  it('goes on with its data after a kill -9, on the same port, and refuses clients without the token', async () => {
    const token = 's3cret/@:';
    const first = await startNatsServer({ binary, storeDir, token, syncAlways: true });
    expect(first.version).toBe(version);
    expect((await stat(join(storeDir, 'nats-server.conf'))).mode & 0o777).toBe(0o600);
    await expect(connect({ servers: `127.0.0.1:${first.port}`, reconnect: false })).rejects.toThrow(/authorization/i);
    const write = await connect({ servers: `127.0.0.1:${first.port}`, token, reconnect: false });
    await (await write.jetstreamManager()).streams.add({ name: 's', subjects: ['s.>'] });
    const ack = await write.jetstream().publish('s.1');
    await first.kill();
    await expect(first.exited).resolves.toMatchObject({ signal: 'SIGKILL' });

    const second = await startNatsServer({ binary, storeDir, token, port: first.port, syncAlways: true });
    expect(second.url).toBe(first.url);
    const read = await connect({ servers: `127.0.0.1:${second.port}`, token, reconnect: false });
    expect((await (await read.jetstreamManager()).streams.info('s')).state.last_seq).toBe(ack.seq);
    await read.close();
    await second.stop();
    await expect(second.exited).resolves.toBeDefined();
    expect(await readFile(join(storeDir, 'nats-server.log'), 'utf8')).not.toContain(token);
  });

  it('rejects with the end of the log when the port is taken', async () => {
    const taken = createServer();
    await new Promise<void>((listening) => taken.listen(0, '127.0.0.1', listening));
    const { port } = taken.address() as { port: number };
    await expect(startNatsServer({ binary, storeDir, port })).rejects.toThrow(/address already in use/);
    taken.close();
  });
});
