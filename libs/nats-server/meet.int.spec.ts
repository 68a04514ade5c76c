import { connect } from 'nats';
import { startTestNatsCluster, type TestNatsCluster } from '#testing';
import { untilServersMeet } from './meet.js';

describe('servers of one cluster', () => {
  let cluster: TestNatsCluster;
  beforeAll(async () => {
    cluster = await startTestNatsCluster();
  }, 120_000);
  afterAll(() => cluster?.stop());

  const urls = () => cluster.nodes.map(({ url }) => url);
  const restarted: number[] = [];
  const restart = async (index: number) => {
    restarted.push(index);
    await cluster.nodes[index].restart();
  };
  beforeEach(() => (restarted.length = 0));

  it('have met when a stream has a replica on each, and keep no trace of that stream', async () => {
    await untilServersMeet({ urls: urls(), restart });
    expect(restarted).toEqual([]);
    const nc = await connect({ servers: cluster.nodes[0].url });
    expect(await (await nc.jetstreamManager()).streams.names().next()).toEqual([]);
    await nc.close();
  });

  it('are started again, one after the other, until they have met', async () => {
    await cluster.nodes[1].stop();
    const said: string[] = [];
    const say = (line: string) => void said.push(line);
    await untilServersMeet({ urls: urls(), restart, say, patienceMs: [1_000, 15_000] });
    expect(restarted.at(-1)).toBe(1);
    expect(said[0]).toMatch(/^the nats-servers do not find each other \(.*\): number 1 is started again$/);
  }, 120_000);

  it('are given up when restarts do not help', async () => {
    await cluster.nodes[1].stop();
    const tried: number[] = [];
    const pretend = (index: number) => Promise.resolve(void tried.push(index));
    const met = untilServersMeet({ urls: urls(), restart: pretend, patienceMs: [300, 300] });
    await expect(met).rejects.toThrow('the nats-servers do not find each other: ');
    expect(tried).toEqual([0, 1, 2, 0, 1, 2]);
  }, 60_000);
});
