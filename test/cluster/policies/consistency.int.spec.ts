import { randomInt } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { clusterSuite, FileTree, Random } from '#testing';
import { RandomWalk } from './support/random-walk.js';

const seed = Number(process.env['LARDER_TEST_SEED'] ?? randomInt(2 ** 31));
const steps = Number(process.env['LARDER_TEST_STEPS'] ?? 60);
const capacityBytes = 3 * 1024 * 1024;
const stepsBetweenChecks = 3;
const stepTimeoutMs = 10_000;

clusterSuite(
  `any sequence of jobs, reads, policies and crashes (LARDER_TEST_SEED=${seed})`,
  {
    coordinators: 2,
    workers: 2,
    env: { LARDER_CACHE_BYTES: String(capacityBytes), LARDER_HEARTBEAT_MS: '250', LARDER_BATCH_SIZE: '10' },
  },
  ({ cluster }) => {
    const scratch = mkdtempSync(join(tmpdir(), 'larder-policies-'));

    afterAll(() => {
      rmSync(scratch, { recursive: true, force: true });
    });

    it(
      `keeps used bytes, bytes on disk, quotas, listing and file index in agreement (${steps} steps)`,
      () =>
        cluster.watch(async () => {
          const tree = FileTree.create(join(scratch, 'data'), {
            seed,
            smallFiles: 110,
            smallMaxBytes: 48 * 1024,
            largeFiles: [300_000, 400_000, 700_000, 1_000_000],
            withOddNames: true,
          });
          const ufs = tree.fileRoot.slice(0, -1);
          await cluster.api.mount('/data', ufs);
          const mount = { path: '/data', ufs };
          const walk = new RandomWalk(cluster, new Random(seed), tree.below(tree.fileRoot), mount, capacityBytes);
          try {
            for (let step = 1; step <= steps; step++) {
              await walk.step();
              if (step % stepsBetweenChecks === 0 || step === steps) await walk.check();
            }
          } catch (error) {
            const done = walk.done.map((what, i) => `${i + 1}. ${what}`).join('\n');
            throw new Error(`LARDER_TEST_SEED=${seed}: ${(error as Error).message}\nafter\n${done}`, { cause: error });
          }
        }),
      60_000 + steps * stepTimeoutMs,
    );
  },
);
