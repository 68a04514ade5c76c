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
 * A nats-server that leads the log is cut off from the two others. For ten seconds it still counts itself as the leader and
 * answers from its own state, while the others have elected another leader and accept writes. A coordinator connected to
 * it accepted such an answer as the end of the log. It gave old answers that were not marked as stale, and answered 404
 * for new mounts.
 */
(canReplicate() ? describe : describe.skip)('a leader of the log that is cut off from the other servers', () => {
  let servers: TestNatsCluster;
  const logs: TestLog[] = [];

  beforeAll(async () => {
    servers = await startTestNatsCluster({ ...testWalls(), proxies: {} });
  }, 60_000);
  afterAll(async () => {
    await Promise.all(logs.map((log) => log.close()));
    await servers?.stop();
  });

  const open = async (index: number): Promise<TestLog> => {
    const log = await openTestLog(`nats://${servers.addresses[index]}`, { replicas: 3, connectTimeoutMs: 20_000 });
    logs.push(log);
    return log;
  };
  const leaderSeenBy = async ({ link, names }: TestLog): Promise<string | undefined> =>
    (await link.jsm.streams.info(names.eventStream).catch(() => undefined))?.cluster?.leader;

  test('does not decide about the end of the log once another server may lead', async () => {
    const first = await open(0);
    const { sequence: before } = await first.store.append('one', 0, [note('before')]);
    const name = await eventually('the log has a leader', () => leaderSeenBy(first));
    const leader = Number(name.slice(1));
    const [atLeader, atOther] = [await open(leader), await open((leader + 1) % 3)];
    for (const route of servers.nodes[leader].routes) route.setMode({ kind: 'cut' });
    const write = atOther.store.append('two', 0, [note('after')], { budgetMs: 30_000 });
    // From the moment of the write on, the old end is wrong.
    let written: number | undefined;
    void write.then(({ sequence }) => (written = sequence));
    const told = new Set<number>();
    const toldOfTwo = new Set<number>();
    await eventually(
      'the others write, and the old leader has noticed that it does not lead',
      async () => {
        const isWritten = written !== undefined;
        const end = await atLeader.store.lastSequence().catch(() => undefined);
        if (isWritten && end !== undefined) told.add(end);
        const isStillWritten = written !== undefined;
        const ofTwo = await atLeader.store.lastSequence('two').catch(() => undefined);
        if (isStillWritten && ofTwo !== undefined) toldOfTwo.add(ofTwo);
        return isWritten && (await leaderSeenBy(atLeader)) !== name;
      },
      { timeoutMs: 40_000, everyMs: 20 },
    );
    expect([...told].filter((end) => end <= before)).toEqual([]);
    expect([...toldOfTwo].filter((last) => last !== written)).toEqual([]);
    for (const route of servers.nodes[leader].routes) route.setMode({ kind: 'pass' });
    const caughtUp = () => atLeader.store.lastSequence().catch(() => undefined);
    await eventually('the client knows the write', async () => (await caughtUp()) === written, { timeoutMs: 30_000 });
  }, 120_000);
});
