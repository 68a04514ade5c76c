import fs from 'node:fs';
import path from 'node:path';
import { connectNats, ensureStreams, logAccount, Names, natsUser } from '#jetstream';
import { type NatsServerProcess, startNatsServer } from '#nats-server';
import { availableNatsVersions, natsServerBinary } from '#testing';
import { natsUrlFor, natsWalls } from './nats-walls.js';
import { temporaryDirectory } from './spec-support/temporary-directory.js';

const natsPasswords = { coordinator: 'c/c', worker: 'w', admin: 'a', audit: 'u' };
const names = new Names('cluster-7');

describe.each(availableNatsVersions())('the walls of a cluster’s own nats-server %s', (version) => {
  const { binary } = natsServerBinary(version);
  const directory = temporaryDirectory();
  let running: NatsServerProcess[];
  beforeEach(() => {
    running = [];
  });
  afterEach(() => Promise.all(running.map((one) => one.kill())));

  async function start(more: Partial<Parameters<typeof startNatsServer>[0]>): Promise<NatsServerProcess> {
    const server = await startNatsServer({ binary, storeDir: directory.path, ...more });
    running.push(server);
    return server;
  }
  const places = (count: number) =>
    Array.from({ length: count }, (_, i) => ({ name: `nats-${i}`, storeDir: directory.path, port: 1, routePort: 2 }));

  it('protect the log of an earlier version, in which every client with the one token could write', async () => {
    const before = await start({ token: 'told-to-everybody' });
    const link = await connectNats({ url: before.url, name: 'earlier' });
    await ensureStreams(link, names);
    await link.js.publish(names.eventSubject('namespace'), 'an event');
    await link.close();
    await before.stop();

    const { accounts, isolated } = natsWalls(places(1), 'cluster-7', { natsPasswords });
    expect(isolated).toBe(true);
    const after = await start({ accounts });
    await expect(
      connectNats({ url: before.url.replace(`${before.port}`, `${after.port}`), name: 'x' }),
    ).rejects.toThrow('refuses the credentials');
    const coordinator = await connectNats({
      url: natsUrlFor('coordinator', 'cluster-7', { natsPasswords }, [after]),
      name: 'c',
    });
    await ensureStreams(coordinator, names);
    const found = await coordinator.jsm.streams.getMessage(names.eventStream, { seq: 1 });
    expect(found.string()).toBe('an event');
    await coordinator.close();

    // They are the same at the next start.
    expect(natsWalls(places(1), 'cluster-7', { natsPasswords })).toEqual({ accounts, isolated });
    expect(fs.readdirSync(path.join(directory.path, 'jetstream')).filter((one) => one === '$G')).toEqual([]);
    expect(fs.existsSync(path.join(directory.path, 'jetstream', logAccount))).toBe(true);
  });

  it('keep one account where several servers hold a log already', async () => {
    const store = path.join(directory.path, 'jetstream', '$G');
    fs.mkdirSync(store, { recursive: true });
    const { accounts, isolated } = natsWalls(places(3), 'cluster-7', { natsPasswords });
    expect(isolated).toBe(false);
    expect(fs.existsSync(store)).toBe(true);
    const server = await start({ accounts });
    const links = await Promise.all(
      (['coordinator', 'worker'] as const).map((role) =>
        connectNats({ url: natsUrlFor(role, 'cluster-7', { natsPasswords }, [server]), name: role }),
      ),
    );
    await ensureStreams(links[0], names);
    await links[1].js.publish(names.eventSubject('batch.j.w'), 'a fact');
    await expect(links[1].js.publish(names.eventSubject('namespace'), 'no', { timeout: 500 })).rejects.toThrow();
    expect((await links[0].jsm.streams.info(names.eventStream)).state.last_seq).toBe(1);
    expect(accounts.flatMap(({ users }) => users.map(({ user }) => user))).toContain(natsUser(names, 'audit'));
    for (const link of links) await link.close();
  });
});
