import { randomInt } from 'node:crypto';
import { clusterSuite, eventually, expectCacheEqualsSource, keys, sizeOf } from '#testing';
import { expectCountsToAddUp, expectProgressToGrow } from '../support/counts.js';

const seed = Number(process.env['LARDER_TEST_SEED'] ?? randomInt(2 ** 31));

clusterSuite(
  `a load while everything is killed in turn (LARDER_TEST_SEED=${seed})`,
  {
    coordinators: 2,
    env: {
      LARDER_BATCH_SIZE: '20',
      LARDER_HEARTBEAT_MS: '200',
      LARDER_WORKER_TIMEOUT_MS: '1000',
      LARDER_WORKER_GRACE_MS: '1000',
    },
  },
  ({ cluster, s3 }) => {
    it(
      'faults 1, 2, 3: ends with exact counts, and every cached byte is right',
      () =>
        cluster.watch(async () => {
          const files = await s3.bucket(cluster, 'chaos', keys(4000), 500);
          s3.faults.set('chaos', ({ operation }) =>
            operation === 'GetObject'
              ? { kind: 'pause', afterBytes: 0, until: new Promise((go) => setTimeout(go, 50)) }
              : undefined,
          );
          const random = randomNumbers(seed);
          const id = await cluster.api.load({ paths: ['/chaos'], options: { verify: true } });
          const victims = [...cluster.processes, cluster.nats];
          for (const share of [0.05, 0.15, 0.25, 0.4, 0.55, 0.7]) {
            const isFar = () => new Set(s3.reads('chaos').map(({ key }) => key)).size > share * files.length;
            await eventually('the job has progressed', isFar, { timeoutMs: 60_000 });
            const victim = victims[Math.floor(random() * victims.length)];
            await victim.kill9();
            await victim.restart();
          }
          const done = await cluster.api.waitForJob(id, { timeoutMs: 60_000, seen: expectProgressToGrow() });
          expect(done).toMatchObject({ state: 'SUCCEEDED', errorMessage: {}, loadedFiles: 4000, failedFiles: 0 });
          expect(done.verifiedFiles + done.repairedFiles).toBe(4000);
          expectCountsToAddUp(done, { files: 4000, bytes: sizeOf(files) });
          await cluster.untilOnline(2);
          await expectCacheEqualsSource(cluster, files, { others: 'any' });
        }),
      240_000,
    );
  },
);

/** Mulberry32 (public domain): gives the same numbers for the same seed. */
function randomNumbers(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
