import {
  canReplicate,
  eventually,
  note,
  openTestLog,
  startTestNatsCluster,
  type TestLog,
  type TestNatsCluster,
  testWalls,
} from '#testing';

/**
 * A nats-server without contact to the others still accepts clients. A coordinator connected to it got the answer that the
 * log has no leader for all that time, while another server would have accepted its writes.
 */
(canReplicate() ? describe : describe.skip)('a nats-server that is cut off from the leader of the log', () => {
  let servers: TestNatsCluster;
  const logs: TestLog[] = [];

  beforeAll(async () => {
    servers = await startTestNatsCluster({ ...testWalls(), proxies: {} });
  }, 60_000);
  afterAll(async () => {
    await Promise.all(logs.map((log) => log.close()));
    await servers?.stop();
  });

  const serverOf = ({ link }: TestLog) => link.nc.info?.server_name;

  /** A connection that knows all servers and is connected to one that does not lead. */
  async function openAtFollower(): Promise<TestLog> {
    for (;;) {
      const log = await openTestLog(servers.addresses.join(','), { replicas: 3, connectTimeoutMs: 20_000 });
      logs.push(log);
      const leader = await eventually('the log has a leader', async () => {
        const info = await log.link.jsm.streams.info(log.names.eventStream).catch(() => undefined);
        return info?.cluster?.leader;
      });
      if (leader !== serverOf(log)) return log;
    }
  }

  async function cutOff(log: TestLog): Promise<string | undefined> {
    // A coordinator also has connections to other servers: it asks for the end of its log with every read.
    await log.store.lastSequence();
    const server = serverOf(log);
    for (const route of servers.nodes[Number(server?.slice(1))].routes) route.setMode({ kind: 'cut' });
    return server;
  }
  afterEach(() => servers.proxies.forEach((route) => route.setMode({ kind: 'pass' })));

  test('does not keep a coordinator that knows another server from writing', async () => {
    const log = await openAtFollower();
    let { sequence } = await log.store.append('one', 0, [note('before')]);
    const server = await cutOff(log);
    await eventually(
      'another server accepts a write',
      async () => {
        const written = await log.store.append('one', sequence, [note('after')]).catch(() => undefined);
        sequence = written?.sequence ?? (await log.store.lastSequence('one').catch(() => sequence));
        return written !== undefined && serverOf(log) !== server;
      },
      { timeoutMs: 40_000 },
    );
    expect(log.lines.filter(({ message }) => /connecting to another NATS server/.test(message))).not.toEqual([]);
  }, 120_000);

  /** The only reader of a process. Its consumer is on the server that the process is connected to. */
  async function readFromOwnServer(log: TestLog): Promise<number[]> {
    const consumers = () =>
      // This fails for a while after an earlier test has cut the routes.
      log.link.jsm.consumers
        .list(log.names.eventStream)
        .next()
        .catch(() => undefined);
    return eventually(
      'a consumer is on the connected server',
      async () => {
        const before = (await consumers())?.map(({ name }) => name);
        if (before === undefined) return undefined;
        const read: number[] = [];
        const reader = log.reader({ startSequence: 1, onCommit: ({ sequence }) => read.push(sequence) });
        await eventually('it reads', () => read.length > 0);
        const own = (await consumers())?.find(({ name }) => !before.includes(name));
        if (own?.cluster?.leader === serverOf(log)) return read;
        reader.stop();
        return undefined;
      },
      { timeoutMs: 60_000 },
    );
  }

  test('does not keep a coordinator from reading the writes of others', async () => {
    const log = await openAtFollower();
    await log.store.append('three', 0, [note('first')]);
    const read = await readFromOwnServer(log);
    const server = await cutOff(log);
    const other = await openTestLog(servers.addresses.filter((_, index) => `n${index}` !== server).join(','), {
      replicas: 3,
      connectTimeoutMs: 20_000,
    });
    logs.push(other);
    const { sequence } = await other.store.append('two', 0, [note('meanwhile')], { budgetMs: 30_000 });
    await eventually('the write has arrived', () => read.includes(sequence), { timeoutMs: 40_000 });
    expect(serverOf(log)).not.toBe(server);
  }, 120_000);
});
