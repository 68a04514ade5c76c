import { clusterSuite } from '#testing';

clusterSuite('startCluster with three nats-servers', { natsServers: 3, coordinators: 2, workers: 1 }, ({ cluster }) => {
  it('kills, stops, pauses and restarts its servers', async () => {
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
