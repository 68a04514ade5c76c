import { setTimeout as delay } from 'node:timers/promises';
import { connect } from 'nats';
import { clusterSuite } from '#testing';

/** Longer than the time limit of a single request of a running coordinator. */
const leaderlessMs = 14_000;

/**
 * While most servers are down, and until those that are back have elected a leader, no server answers questions about the
 * log. A coordinator had just checked its streams and then asked for the identity of the log. It gave up after that one
 * request.
 */
clusterSuite('a coordinator that starts while the log has no leader', { natsServers: 3, workers: 0 }, ({ cluster }) => {
  test(
    'waits for a leader and becomes ready then',
    () =>
      cluster.watch(async () => {
        const { process, api } = cluster.coordinators[0];
        const { nodes } = cluster.natsCluster;
        await process.stop();
        const bystander = await connect({ servers: nodes[0].url });
        const last = bystander.subscribe('$JS.API.STREAM.*.OBJ_larder-snapshots', { max: 1 });
        await bystander.flush();
        // This fails when the process ends.
        const started = process.start();
        for await (const question of last) expect(question.subject).toContain('STREAM');
        for (const node of nodes.slice(1)) node.pause();
        await Promise.race([started, delay(leaderlessMs)]);
        for (const node of nodes.slice(1)) node.resume();
        await started;
        await api.mount('/after', 'file:///after');
        await bystander.close();
      }),
    120_000,
  );
});
