import { startCluster, type TestCluster } from '#testing';

describe('startCluster with three nats-servers', () => {
  let cluster: TestCluster;
  beforeAll(async () => {
    cluster = await startCluster({ natsServers: 3, coordinators: 2, workers: 1 });
  }, 90_000);
  afterAll(() => cluster?.dispose());

  it('kills, stops, pauses and brings back its servers', async () => {
    await cluster.watch(async () => {
      const leader = await cluster.natsCluster.leaderOf('larder-evt');
      await leader.kill9();
      expect(leader.running).toBe(false);
      const next = await cluster.natsCluster.leaderOf('larder-evt');
      expect(next).not.toBe(leader);
      await leader.restart();
      expect(leader.running).toBe(true);
      next.pause();
      next.resume();
      await next.stop();
      expect(next.running).toBe(false);
      expect((await cluster.natsCluster.leaderOf('larder-evt')).running).toBe(true);
      await next.restart();
    });
  });
});
