import { compareVersions } from '#nats-server';
import {
  availableNatsVersions,
  note,
  openTestLog,
  startTestNats,
  startTestNatsCluster,
  type TestNatsCluster,
  until,
} from '#testing';
import { connectNats, ensureStreams, Names, oldestNatsForReplicas } from '../index.js';
import { serverVersions } from '../link/server-versions.js';

const versions = availableNatsVersions();
const newEnough = versions.filter((version) => compareVersions(version, oldestNatsForReplicas) >= 0);
const old = versions.filter((version) => compareVersions(version, oldestNatsForReplicas) < 0);

(old.length > 0 && newEnough.length > 0 ? describe : describe.skip)('replicas where one server is too old', () => {
  it('streams are refused by the version of each server, not only of the connected one', async () => {
    const [recent, outdated] = await Promise.all(
      [newEnough.at(-1), old[0]].map((version) => startTestNats({ version, token: 't0ken' })),
    );
    const addresses = [recent, outdated].map(({ port }) => `127.0.0.1:${port}`);
    expect(await serverVersions([...addresses, '127.0.0.1:1'])).toEqual([
      { address: addresses[0], version: recent.version },
      { address: addresses[1], version: outdated.version },
    ]);
    // The client picks a server at random: wait until it is the recent one.
    const url = async () => {
      const link = await connectNats({ url: `${recent.url},${outdated.url}`, name: 'test' });
      if (link.serverVersion === recent.version) return link;
      await link.close();
      return undefined;
    };
    let link = await url();
    while (link === undefined) link = await url();
    await expect(ensureStreams(link, new Names(), { replicas: 3 })).rejects.toMatchObject({
      code: 'nats-too-old',
      message: expect.stringContaining(`${addresses[1]} is ${outdated.version}`) as string,
    });
    await link.close();
    await Promise.all([recent.stop(), outdated.stop()]);
  }, 30_000);
});

(newEnough.length > 0 ? describe : describe.skip)('a replicated log for which there are not enough servers yet', () => {
  let cluster: TestNatsCluster;
  beforeAll(async () => {
    cluster = await startTestNatsCluster({ version: newEnough.at(-1) });
  }, 60_000);
  afterAll(() => cluster?.stop());

  it('a stream is made when the last server has come, and refused with an error when none comes', async () => {
    const [node] = cluster.nodes;
    await node.stop();
    const lines: string[] = [];
    const log = (_level: string, message: string, fields?: object) =>
      void lines.push(`${message} ${JSON.stringify(fields)}`);
    const url = cluster.nodes.slice(1).map((one) => one.url);
    const link = await connectNats({ url: url.join(','), name: 'test', log });
    const one = ensureStreams(link, new Names('one'), { replicas: 3, withinMs: 10_000 });
    await expect(one).rejects.toMatchObject({
      code: 'no-peers',
      message: expect.stringMatching(
        /^NATS finds no 3 servers for stream .* within 10 s \(no suitable peers/,
      ) as string,
    });
    const waiting = ensureStreams(link, new Names('two'), { replicas: 3 });
    await until(() => lines.some((line) => line.includes('two-evt is not available yet') && line.includes('peers')));
    await node.restart();
    await waiting;
    await link.close();
  }, 120_000);
});

(newEnough.length > 0 ? describe : describe.skip)('a replicated log that several clients create at once', () => {
  let cluster: TestNatsCluster;
  beforeAll(async () => {
    cluster = await startTestNatsCluster({ version: newEnough.at(-1) });
  }, 30_000);
  afterAll(() => cluster?.stop());

  it('the log stays the same under each leader, and after a restart of its servers', async () => {
    const opened = Array.from({ length: 6 }, () => openTestLog(cluster.url, { replicas: 3, connectTimeoutMs: 20_000 }));
    const logs = await Promise.all(opened);
    const ids = new Set((await Promise.all(logs.map(({ store }) => store.info()))).map(({ streamId }) => streamId));
    expect(ids.size).toBe(1);
    const [log] = logs;
    const seen: number[] = [];
    log.reader({ startSequence: 1, onCommit: ({ sequence }) => seen.push(sequence) });
    for (let round = 0; round < 4; round++) {
      const leader = await cluster.leaderOf(log.names.eventStream);
      await leader.kill9();
      const successor = await cluster.leaderOf(log.names.eventStream);
      expect(successor.serverName).not.toBe(leader.serverName);
      const { sequence } = await log.store.appendFact('facts', `f${round}`, [note(`${round}`)], { budgetMs: 25_000 });
      await until(() => seen.includes(sequence));
      ids.add((await log.store.info()).streamId);
      await leader.restart();
    }
    expect(ids.size).toBe(1);
    expect(log.lines.filter(({ level }) => level === 'fatal')).toEqual([]);
    await Promise.all(logs.map((one) => one.close()));
  }, 90_000);
});
