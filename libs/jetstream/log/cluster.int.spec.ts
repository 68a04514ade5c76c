import { compareVersions } from '#nats-server';
import {
  availableNatsVersions,
  note,
  openTestLog,
  startTestNatsCluster,
  type TestLog,
  type TestNatsCluster,
  until,
} from '#testing';
import { StaleVersionError } from '../index.js';

jest.setTimeout(30_000);

/** Older servers refuse three replicas. */
const versions = availableNatsVersions().filter((version) => compareVersions(version, '2.10.23') >= 0);
const describeEach = versions.length > 0 ? describe.each(versions) : describe.skip.each(['none new enough']);

describeEach('a log of three replicas on nats-server %s', (version) => {
  let cluster: TestNatsCluster;
  let logs: TestLog[] = [];
  beforeAll(async () => {
    cluster = await startTestNatsCluster({ version });
  });
  afterAll(async () => {
    await Promise.all(logs.map((log) => log.close()));
    await cluster?.stop();
  });

  it('fault 4: across kill -9 of its leader, the log keeps all acknowledged commits, lets one appender win, and goes on', async () => {
    logs = await Promise.all(
      cluster.nodes.map((node, i) =>
        openTestLog([node.url, ...cluster.nodes.filter((_, other) => other !== i).map(({ url }) => url)].join(','), {
          replicas: 3,
          connectTimeoutMs: 20_000,
        }),
      ),
    );
    const [first] = logs;
    const won = new Map<string, number>();
    const lost = new Set<string>();
    let stop = false;
    const writer = async (index: number) => {
      let expected = 0;
      while (!stop) {
        const event = note(`${index}`);
        try {
          const { sequence } = await logs[index % 3].store.append('race.1', expected, [event], { budgetMs: 25_000 });
          won.set(event.id, sequence);
          expected = sequence;
        } catch (error) {
          if (!(error instanceof StaleVersionError)) throw error;
          lost.add(event.id);
          expected = error.actual;
        }
      }
    };
    const seen: number[] = [];
    const reader = first.reader({ startSequence: 1, onCommit: ({ sequence }) => seen.push(sequence) });
    const writers = Promise.all(Array.from({ length: 6 }, (_, index) => writer(index)));
    await until(() => won.size > 100);
    const { cluster: peers } = await first.link.jsm.streams.info(first.names.eventStream);
    const leader = cluster.nodes.find((node) => node.serverName === peers?.leader)!;
    const before = won.size;
    await leader.kill9();
    await until(() => won.size > before + 100);
    await leader.restart();
    stop = true;
    await writers;

    const stored = new Map<string, number>();
    for await (const commit of first.store.readBoundary('race.1')) stored.set(commit.events[0].id, commit.sequence);
    expect(stored).toEqual(won);
    for (const id of lost) expect(stored.has(id)).toBe(false);
    await reader.waitFor(Math.max(...won.values()), 20_000);
    expect(seen).toEqual([...won.values()].sort((a, b) => a - b));
  }, 60_000);
});
