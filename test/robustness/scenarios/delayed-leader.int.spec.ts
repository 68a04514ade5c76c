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

/** The usual delay of the routes. It is shorter than the silence after which followers elect another leader. */
const firstMs = 1_000;
/**
 * The delay after the change. No message arrives for the difference, and up to a second more. That is longer than
 * followers wait before they elect another leader (4 to 9 s), and shorter than the 10 s of silence after which a leader
 * steps down. Then older messages of the followers arrive, and the old leader takes them for new ones.
 */
const thenMs = 9_000;

/**
 * A nats-server leads the log, and its routes delay by seconds. The two others have elected another leader and accept
 * writes. The old leader still counts itself as the leader: earlier answers of the others arrive so late that it seems to
 * be in contact with them. A coordinator connected to it accepted its answer about the end of the log, and gave old
 * answers that were not marked as stale.
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
  /** A connection that knows all servers and is connected to this one. */
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

  test('does not decide about the end of the log once another server may lead', async () => {
    const first = await open(servers.addresses);
    const { sequence } = await first.store.append('one', 0, [note('one')]);
    const name = await eventually('the log has a leader', () => leaderSeenBy(first));
    const leader = Number(name.slice(1));
    const [atLeader, atOther] = [await openAt(leader), await openAt((leader + 1) % 3)];
    await eventually('the client knows the end of the log', async () => (await endSeenBy(atLeader)) === sequence);
    for (const route of servers.nodes[leader].routes) route.setMode({ kind: 'latency', latencyMs: firstMs });
    await atLeader.store.append('two', 0, [note('two')], { budgetMs: 30_000 });
    for (const route of servers.nodes[leader].routes) route.setMode({ kind: 'latency', latencyMs: thenMs });
    let written: number | undefined;
    void atOther.store.append('three', 0, [note('three')], { budgetMs: 30_000 }).then(({ sequence }) => {
      written = sequence;
    });
    // From the moment of the write on, the old end is wrong, whatever the old leader answers.
    const told = new Set<number>();
    await eventually(
      'the others write, and the old leader has noticed that it does not lead',
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
