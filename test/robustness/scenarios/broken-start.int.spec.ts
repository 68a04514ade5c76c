import { connect, type NatsConnection } from 'nats';
import { clusterSuite, natsUrlFor, TcpProxy } from '#testing';

/** Delay of each answer: the time for the test to break the connection after it has seen the question. */
const answersLate = { kind: 'latency', latencyMs: 25 } as const;

/**
 * A coordinator sends NATS a few dozen requests before it is ready. Two faults were found:
 * - The connection broke while the coordinator looked for a snapshot. It ended with a TypeError: it watched the state of
 *   the connection before it had the reader of the log, which the handler uses.
 * - The connection broke just before the coordinator began to catch up with the log. It repeated its request without a
 *   pause, which left no time for a reconnection: it never became ready and never ended.
 */
clusterSuite(
  'a coordinator whose connection to NATS breaks while it starts',
  { workers: 0, env: { LARDER_SNAPSHOT_EVERY: '20' } },
  ({ cluster }) => {
    let proxy: TcpProxy;
    let bystander: NatsConnection;

    beforeAll(async () => {
      for (let i = 0; i < 30; i++) await cluster.api.mount(`/start-${i}`, `file:///start-${i}`);
      proxy = await TcpProxy.start({ target: `127.0.0.1:${cluster.nats.port}` });
      cluster.coordinators[0].process.overrides['LARDER_NATS_URL'] = natsUrlFor('coordinator', proxy.address);
      bystander = await connect({ servers: cluster.natsUrl });
    });

    afterAll(async () => {
      await bystander?.close();
      await proxy?.stop();
    });

    /** Starts the coordinator and breaks its connection at the chosen requests. @returns those requests */
    async function startBroken(chosen: (question: string) => boolean): Promise<string[]> {
      const { process } = cluster.coordinators[0];
      await process.kill9();
      const broken: string[] = [];
      const tap = bystander.subscribe('$JS.API.>', {
        callback: (_error, { subject }) => {
          const question = subject
            .replace(/^\$JS\.API\./, '')
            .replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, '*');
          if (!chosen(question)) return;
          broken.push(question);
          proxy.setMode({ kind: 'cut' });
          proxy.setMode(answersLate);
        },
      });
      await bystander.flush();
      proxy.setMode(answersLate);
      await cluster.watch(() => process.start());
      tap.unsubscribe();
      return broken;
    }

    test('becomes ready after one break at each kind of request', async () => {
      const known = new Set<string>();
      const broken = await startBroken((question) => known.size < known.add(question).size);
      expect(broken).toEqual(expect.arrayContaining(['INFO', 'STREAM.INFO.larder-evt']));
      // The requests before and after it has read a snapshot.
      expect(broken).toContain('STREAM.MSG.GET.OBJ_larder-snapshots');
      expect(broken).toContain('CONSUMER.CREATE.larder-evt.r-*');
    });

    test('becomes ready after repeated breaks, each after more requests', async () => {
      let [left, next] = [1, 2];
      const broken = await startBroken(() => {
        if (--left > 0) return false;
        left = next++;
        return true;
      });
      expect(broken.length).toBeGreaterThan(4);
    });
  },
);
