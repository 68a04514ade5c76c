import { connect } from 'nats';
import { compareVersions } from '#nats-server';
import {
  availableNatsVersions,
  eventually,
  note,
  openTestLog,
  startTestNats,
  startTestNatsCluster,
  TcpProxy,
  type TestLog,
  type TestNatsCluster,
} from '#testing';
import { Line } from './witnesses.js';

/** Older servers refuse three replicas. */
const version = availableNatsVersions().findLast((one) => compareVersions(one, '2.10.23') >= 0);

const namesSeenBy = ({ link }: TestLog): string[] => [...link.witnesses.lines().keys()].sort();

(version === undefined ? describe.skip : describe)('witnesses of a log of three replicas', () => {
  let cluster: TestNatsCluster;
  let proxies: TcpProxy[];
  const logs: TestLog[] = [];
  beforeAll(async () => {
    cluster = await startTestNatsCluster({ version });
    proxies = await Promise.all(cluster.nodes.map(({ url }) => TcpProxy.start({ target: new URL(url).host })));
  }, 60_000);
  afterAll(async () => {
    await Promise.all(logs.map((log) => log.close()));
    await Promise.all(proxies.map((proxy) => proxy.stop()));
    await cluster?.stop();
  });

  const open = async (url: string): Promise<TestLog> => {
    const log = await openTestLog(url, { replicas: 3, connectTimeoutMs: 20_000 });
    logs.push(log);
    return log;
  };

  it('witnesses are connections to all known servers, each of which counts once', async () => {
    const log = await open(cluster.nodes[0].url);
    expect(namesSeenBy(log)).toEqual(['n0']);
    await log.store.append('one', 0, [note('one')]);
    // The servers announce the addresses of the others.
    await eventually('the end is told by most of them', async () => (await log.store.lastSequence()) === 1);
    await eventually('all three are connected to', () => namesSeenBy(log).length === 3);
    expect(log.link.witnesses.knownServers()).toBe(3);
    // Now each server has two addresses: the proxy's and its own.
    const twice = await open(proxies.map(({ address }) => `nats://${address}`).join(','));
    expect(await twice.store.lastSequence()).toBe(1);
    await eventually('all three are connected to', () => namesSeenBy(twice).join() === 'n0,n1,n2');
    await eventually('and it is known that they are three', () => twice.link.witnesses.knownServers() === 3);
    expect(twice.lines.filter(({ message }) => message.includes('LARDER_NATS_URL'))).toEqual([]);
  }, 60_000);

  it('witnesses are enough when one server is gone, and when the own connection has moved to another one', async () => {
    const log = await open(cluster.url);
    const end = await log.store.lastSequence();
    const own = log.link.nc.info!.server_name;
    const node = cluster.nodes.find(({ serverName }) => serverName === own)!;
    await node.kill9();
    const answers = async () => (await log.store.lastSequence().catch(() => undefined)) === end;
    await eventually('the others tell the end', answers, { timeoutMs: 30_000 });
    expect(namesSeenBy(log)).not.toContain(own);
    await node.restart();
    await eventually('all three are connected to', () => namesSeenBy(log).length === 3, { timeoutMs: 30_000 });
    await eventually('they tell the end', answers, { timeoutMs: 30_000 });
  }, 90_000);

  it('witnesses close with the link', async () => {
    const own = await Promise.all(cluster.nodes.map(({ url }) => TcpProxy.start({ target: new URL(url).host })));
    proxies.push(...own);
    const log = await openTestLog(own.map(({ address }) => `nats://${address}`).join(','), { replicas: 3 });
    await eventually('the end is told', async () => (await log.store.lastSequence().catch(() => 0)) > 0);
    await eventually('all addresses are connected to', () => own.every(({ connections }) => connections > 0));
    await log.link.close();
    await eventually('no connection is left', () => own.every(({ connections }) => connections === 0));
  }, 60_000);
});

describe('a line', () => {
  it('that no longer carries data gives no answer, and no error to its caller', async () => {
    const nats = await startTestNats();
    const nc = await connect({ servers: nats.url });
    const line = new Line(nc);
    const heard: unknown[] = [];
    const ask = () => line.ask('nobody.listens', (reply) => heard.push(reply))();
    ask();
    const drained = nc.drain();
    ask();
    await drained;
    ask();
    expect(line.serverName).toBeUndefined();
    await nats.stop();
  });
});

describe('witnesses of a log that one server keeps', () => {
  it('are not opened', async () => {
    const nats = await startTestNats();
    const proxy = await TcpProxy.start({ target: new URL(nats.url).host });
    const log = await openTestLog(`nats://${proxy.address}`);
    await log.store.append('one', 0, [note('one')]);
    expect(await log.store.lastSequence()).toBe(1);
    expect(proxy.connections).toBe(1);
    await log.close();
    await proxy.stop();
    await nats.stop();
  });
});
