import { setTimeout as delay } from 'node:timers/promises';
import type { StreamInfo } from 'nats';
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

const questions = 20;

/**
 * Two nats-servers do not reach each other, while both reach the third. One of them leads the log by the vote of the
 * third. The other knows no leader, and also answers questions about the log. NATS passes on only the first reply. A
 * coordinator that got the reply of the other server marked its answers as stale, again and again until the servers
 * reached each other.
 */
(canReplicate() ? describe : describe.skip)('a nats-server that cannot reach the leader of the log', () => {
  let servers: TestNatsCluster;
  const logs: TestLog[] = [];

  beforeAll(async () => {
    servers = await startTestNatsCluster({ ...testWalls(), proxies: {} });
  }, 60_000);
  afterAll(async () => {
    await Promise.all(logs.map((log) => log.close()));
    await servers?.stop();
  });

  const cut = (one: number, other: number): void => {
    const shared = servers.nodes[one].routes.filter((route) => servers.nodes[other].routes.includes(route));
    for (const route of shared) route.setMode({ kind: 'cut' });
  };

  /** A connection that knows all servers, like that of a coordinator, and is connected to this one. */
  async function openAt(index: number): Promise<TestLog> {
    for (;;) {
      const log = await openTestLog(servers.addresses.join(','), { replicas: 3, connectTimeoutMs: 20_000 });
      if (log.link.nc.info?.server_name === `n${index}`) {
        logs.push(log);
        return log;
      }
      await log.close();
    }
  }

  /** The leader in the first reply, or '' if its server knows none. Undefined without a reply. */
  async function leaderByFirstReply({ link, names }: TestLog): Promise<string | undefined> {
    const asked = link.nc.request(`$JS.API.STREAM.INFO.${names.eventStream}`, undefined, { timeout: 500 });
    const reply = await asked.catch(() => undefined);
    return reply && (reply.json<StreamInfo>().cluster?.leader ?? '');
  }

  /** The leader, if another server replies about as fast that there is none. Otherwise undefined. */
  async function leaderBesideLeaderless(log: TestLog): Promise<string | undefined> {
    const replies: (string | undefined)[] = [];
    for (let i = 0; i < 12; i++) {
      replies.push(await leaderByFirstReply(log));
      await delay(5);
    }
    const [leader, ...others] = new Set(replies.filter((name) => name !== ''));
    const byLeader = replies.filter((name) => name === leader).length;
    return leader && others.length === 0 && byLeader >= 4 && byLeader < replies.length ? leader : undefined;
  }

  test('does not keep a coordinator from knowing the end of the log', async () => {
    const first = await openAt(0);
    const { sequence: end } = await first.store.append('one', 0, [note('before')]);
    const { link, names } = first;
    const name = await eventually('the log has a leader', async () => {
      return (await link.jsm.streams.info(names.eventStream).catch(() => undefined))?.cluster?.leader;
    });
    const leader = Number(name.slice(1));
    const third = await openAt((leader + 1) % 3);
    cut(leader, (leader + 2) % 3);

    const told: (number | string)[] = [];
    await eventually(
      `this state lasts during ${questions} questions`,
      async () => {
        const before = await leaderBesideLeaderless(third);
        if (!before) return false;
        const answers: (number | string)[] = [];
        for (let i = 0; i < 5; i++) answers.push(await third.store.lastSequence().catch(String));
        // In between, an election may have left the log without a leader for a while.
        if ((await leaderBesideLeaderless(third)) === before) told.push(...answers);
        return told.length >= questions;
      },
      { timeoutMs: 60_000, everyMs: 20 },
    );
    expect(told.filter((answer) => typeof answer === 'number' && answer !== end)).toEqual([]);
    // One election of the same leader may have gone unnoticed.
    expect(told.filter((answer) => answer !== end).length).toBeLessThanOrEqual(1);
  }, 120_000);
});
