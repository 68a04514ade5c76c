import { setTimeout as delay } from 'node:timers/promises';
import { connect } from 'nats';
import { clusterSuite } from '#testing';

/** Longer than a coordinator that runs tries a single request for. */
const leaderlessMs = 14_000;

/**
 * While most servers are away, and until those that are back have elected a leader, nobody says anything about the log. A
 * coordinator that had just seen to its streams, and then asked whether the log is the one that was seen, gave up after
 * that one question.
 */
clusterSuite('a coordinator that starts while the log has no leader', { natsServers: 3, workers: 0 }, ({ cluster }) => {
  test(
    'waits for one, and is ready then',
    () =>
      cluster.watch(async () => {
        const { process, api } = cluster.coordinators[0];
        const { nodes } = cluster.natsCluster;
        await process.stop();
        const bystander = await connect({ servers: nodes[0].url });
        const last = bystander.subscribe('$JS.API.STREAM.*.OBJ_larder-snapshots', { max: 1 });
        await bystander.flush();
        // Fails when the process ends.
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
