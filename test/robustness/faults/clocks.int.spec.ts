import { clusterSuite, eventually, keys, type LoadProgress } from '#testing';
import { expectExactSuccess } from '../../cluster/support/counts.js';
import { WrongClock } from './support/wrong-clock.js';

const hourMs = 3_600_000;

clusterSuite(
  'processes whose wall clocks are wrong',
  { coordinators: 2, env: { LARDER_BATCH_SIZE: '20', LARDER_BATCH_WINDOW: '4', LARDER_HEARTBEAT_MS: '200' } },
  ({ cluster, s3 }) => {
    let clocks: WrongClock[];

    beforeAll(() => {
      clocks = cluster.processes.map((process) => new WrongClock(process, cluster.directory));
    });

    const offsets = async (hours: readonly number[]) => {
      for (const [i, clock] of clocks.entries()) await clock.set((hours[i % hours.length] ?? 0) * hourMs);
    };

    it(
      'fault 15: clocks that are an hour wrong, or jump, make no process count as dead and no time negative',
      () =>
        cluster.watch(async () => {
          for (const [i, clock] of clocks.entries()) clock.prepare((i % 2 === 0 ? 1 : -1) * hourMs);
          for (const { process } of clocks) await process.restart();
          await cluster.untilOnline(2);
          const files = await s3.bucket(cluster, 'wrong-clocks', keys(1500), 100);
          const gate = s3.hold('wrong-clocks', 300);
          const id = await cluster.api.load({ paths: ['/wrong-clocks'] });
          await gate.reached;
          const owner = await cluster.ownerOf(id);

          await offsets([-1, 1]);
          const jumpedAtMs = performance.now();
          // Longer than the silence after which an owner counts as dead.
          await eventually('the time limits of owners have passed', async () => {
            for (const { api } of cluster.coordinators) {
              expectSaneTime(await api.progress(id));
              expect((await api.nodes()).map(({ status }) => status)).toEqual(['ONLINE', 'ONLINE']);
            }
            return performance.now() > jumpedAtMs + 6000;
          });
          expect(await cluster.api.progress(id)).toMatchObject({ state: 'RUNNING', owner: owner.id, epoch: 1 });

          const other = cluster.coordinators.find((one) => one !== owner)!;
          await owner.process.kill9();
          const diedAtMs = performance.now();
          await eventually(
            'the other coordinator owns the job',
            async () => (await other.api.progress(id)).owner === other.id,
          );
          expect(performance.now() - diedAtMs).toBeLessThan(5000);
          gate.open();
          const done = await expectExactSuccess(cluster, id, files, { api: other.api, seen: expectSaneTime });
          expect(done.epoch).toBe(2);
          await owner.process.start();
          for (const { api } of cluster.coordinators) expectSaneTime(await api.progress(id));
        }),
      120_000,
    );
  },
);

/** Checks that no coordinator shows a negative duration of the job. */
function expectSaneTime({ timeElapsedMilliseconds }: LoadProgress): void {
  expect(timeElapsedMilliseconds).toBeGreaterThanOrEqual(0);
}
