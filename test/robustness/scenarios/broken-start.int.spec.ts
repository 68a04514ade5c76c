import { connect, type NatsConnection } from 'nats';
import { clusterSuite, natsUrlFor, TcpProxy } from '#testing';

/** Who hears of a question at once has so long to break the connection before the answer comes. */
const answersLate = { kind: 'latency', latencyMs: 25 } as const;

/**
 * A coordinator asks NATS a few dozen questions before it is ready. One whose connection broke while it looked for a
 * snapshot to begin with died of a TypeError a moment later: it had begun to listen to how the connection fares before
 * it had the reader of the log that it asks then. One whose connection was just broken when it began to catch up with
 * the log asked again and again without a pause, which left it no time to connect in: it never became ready, nor ended.
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

    /** Starts it, and breaks its connection at the questions that are chosen. @returns those */
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

    test('once at each kind of question that it has: it becomes ready all the same', async () => {
      const known = new Set<string>();
      const broken = await startBroken((question) => known.size < known.add(question).size);
      expect(broken).toEqual(expect.arrayContaining(['INFO', 'STREAM.INFO.larder-evt']));
      // Where it reads a snapshot, and where it has read it.
      expect(broken).toContain('STREAM.MSG.GET.OBJ_larder-snapshots');
      expect(broken).toContain('CONSUMER.CREATE.larder-evt.r-*');
    });

    test('again and again, after ever more questions: it becomes ready all the same', async () => {
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
