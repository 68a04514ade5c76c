import {
  canReplicate,
  eventually,
  note,
  openTestLog,
  startTestNatsCluster,
  TcpProxy,
  type TestLog,
  type TestNatsCluster,
  testWalls,
} from '#testing';

/** So much is always on its way; less than what makes the followers elect another. */
const firstMs = 1_000;
/**
 * Then nothing comes for the difference, and up to a second more: for longer than followers wait before they elect
 * another (4 to 9 s), and not for the 10 s of silence after which the one that leads gives up. Then it is reached by what
 * they said before, and takes that for news.
 */
const thenMs = 9_000;

/**
 * A nats-server that leads the log, and whose routes delay by seconds, goes on believing that it leads while the two
 * others have elected another and take writes. What they had answered before is so long on its way that it seems to be in
 * touch with them. A coordinator connected to it took its word for the log's end, and gave old answers that were not
 * marked as stale.
 */
(canReplicate() ? describe : describe.skip)('a leader of the log whose routes delay by seconds', () => {
  let servers: TestNatsCluster;
  const logs: TestLog[] = [];
  const proxies: TcpProxy[] = [];

  beforeAll(async () => {
    servers = await startTestNatsCluster({ ...testWalls(), proxies: {} });
  }, 60_000);
  afterAll(async () => {
    await Promise.all(logs.map((log) => log.close()));
    await Promise.all(proxies.map((proxy) => proxy.stop()));
    await servers?.stop();
  });

  const open = async (addresses: readonly string[]): Promise<TestLog> => {
    const url = addresses.map((address) => `nats://${address}`).join(',');
    const log = await openTestLog(url, { replicas: 3, connectTimeoutMs: 20_000 });
    logs.push(log);
    return log;
  };
  /** Knows of all servers, and its own connection is to this one. */
  const openAt = async (index: number): Promise<TestLog> => {
    const own = await Promise.all(servers.addresses.map((target) => TcpProxy.start({ target })));
    proxies.push(...own);
    for (const other of own.filter((_, at) => at !== index)) other.setMode({ kind: 'cut' });
    const log = await open(own.map(({ address }) => address));
    for (const proxy of own) proxy.setMode({ kind: 'pass' });
    return log;
  };
  const leaderSeenBy = async ({ link, names }: TestLog): Promise<string | undefined> =>
    (await link.jsm.streams.info(names.eventStream).catch(() => undefined))?.cluster?.leader;
  const endSeenBy = ({ store }: TestLog): Promise<number | undefined> => store.lastSequence().catch(() => undefined);

  test('is not believed about the end of the log once another may lead', async () => {
    const first = await open(servers.addresses);
    const { sequence } = await first.store.append('one', 0, [note('one')]);
    const name = await eventually('the log has a leader', () => leaderSeenBy(first));
    const leader = Number(name.slice(1));
    const [atLeader, atOther] = [await openAt(leader), await openAt((leader + 1) % 3)];
    await eventually('it is told where the log ends', async () => (await endSeenBy(atLeader)) === sequence);
    for (const route of servers.nodes[leader].routes) route.setMode({ kind: 'latency', latencyMs: firstMs });
    await atLeader.store.append('two', 0, [note('two')], { budgetMs: 30_000 });
    for (const route of servers.nodes[leader].routes) route.setMode({ kind: 'latency', latencyMs: thenMs });
    let written: number | undefined;
    void atOther.store.append('three', 0, [note('three')], { budgetMs: 30_000 }).then(({ sequence }) => {
      written = sequence;
    });
    // From the moment of the write on, the old end is wrong, whatever the one that led may say.
    const told = new Set<number>();
    await eventually(
      'the others write, and the one that led has noticed that it does not',
      async () => {
        const isWritten = written !== undefined;
        const end = await endSeenBy(atLeader);
        if (isWritten && end !== undefined) told.add(end);
        return isWritten && (await leaderSeenBy(atLeader)) !== name;
      },
      { timeoutMs: 60_000, everyMs: 20 },
    );
    expect([...told]).toEqual([written]);
    for (const route of servers.nodes[leader].routes) route.setMode({ kind: 'pass' });
    await eventually('the end is known', async () => (await endSeenBy(atLeader)) === written, { timeoutMs: 30_000 });
  }, 120_000);
});
