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
 * Two nats-servers that do not reach each other, while both reach the third: one of them leads the log by the vote of
 * the third, and the other, which knows of no leader, answers questions about it beside that leader. NATS gives whoever
 * asks the reply that comes first. A coordinator that got the other's called itself stale, and did so again and again
 * until the servers reached each other.
 */
(canReplicate() ? describe : describe.skip)('a nats-server that has lost the leader of the log out of sight', () => {
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

  /** Knows of all servers, as coordinators do, and is connected to this one. */
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

  /** The first reply: who leads in the eyes of whoever gave it, '' for nobody; undefined when nobody replies. */
  async function leaderByFirstReply({ link, names }: TestLog): Promise<string | undefined> {
    const asked = link.nc.request(`$JS.API.STREAM.INFO.${names.eventStream}`, undefined, { timeout: 500 });
    const reply = await asked.catch(() => undefined);
    return reply && (reply.json<StreamInfo>().cluster?.leader ?? '');
  }

  /** Who leads while another server, about as quick to reply, says that nobody does; undefined when it is not so. */
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

  test('does not keep a coordinator from knowing where the log ends', async () => {
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
      `it is so during ${questions} questions`,
      async () => {
        const before = await leaderBesideLeaderless(third);
        if (!before) return false;
        const answers: (number | string)[] = [];
        for (let i = 0; i < 5; i++) answers.push(await third.store.lastSequence().catch(String));
        // In between, another may have been elected, and there was no leader for a while.
        if ((await leaderBesideLeaderless(third)) === before) told.push(...answers);
        return told.length >= questions;
      },
      { timeoutMs: 60_000, everyMs: 20 },
    );
    expect(told.filter((answer) => typeof answer === 'number' && answer !== end)).toEqual([]);
    // One election that ended as it began may have gone unseen.
    expect(told.filter((answer) => answer !== end).length).toBeLessThanOrEqual(1);
  }, 120_000);
});
