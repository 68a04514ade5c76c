import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import type { SourceFile } from './file-tree.js';
import type { TestCluster } from './start-cluster.js';
import { eventually } from './until.js';

export interface ComparisonOptions {
  /** Distinct workers that must hold each file. Default 1. */
  copies?: number;
  /** Cached objects that belong to other sources. `'any'`: other cached objects are not counted. Default 0. */
  others?: number | 'any';
}

const readsAtOnce = 16;

/**
 * Reads every file back from the workers and compares it, by length and SHA-256, with its source. Also counts the other
 * objects that the workers hold.
 * @throws AssertionError naming the first files that differ
 */
export async function expectCacheEqualsSource(
  cluster: TestCluster,
  files: readonly SourceFile[],
  { copies = 1, others = 0 }: ComparisonOptions = {},
): Promise<void> {
  const wrong: string[] = [];
  const readCopies = cluster.copyReader();
  await forEachAtOnce(readsAtOnce, files, async (file) => {
    const answers = await readCopies(file.path, copies);
    if (answers.length < copies) wrong.push(`${file.path}: ${answers.length} of ${copies} copies`);
    for (const bytes of answers) {
      const sha256 = createHash('sha256').update(bytes).digest('hex');
      if (bytes.length !== file.sizeBytes || sha256 !== file.sha256) {
        wrong.push(`${file.path}: ${bytes.length} bytes instead of ${file.sizeBytes}, sha256 ${sha256}`);
      }
    }
  });
  assert.equal(wrong.length, 0, `${wrong.length} of ${files.length} files differ:\n${wrong.slice(0, 10).join('\n')}`);
  if (others !== 'any') await expectCachedObjects(cluster, files.length * copies + others);
}

/** Checks the sum of the objects that the workers hold, by their heartbeats. It may be one heartbeat old. */
export async function expectCachedObjects(cluster: TestCluster, expected: number): Promise<void> {
  let held: (number | undefined)[] = [];
  const isRight = async () => {
    held = (await cluster.api.nodes()).map(({ cachedObjects }) => cachedObjects);
    return held.reduce<number>((sum, objects) => sum + (objects ?? 0), 0) === expected;
  };
  try {
    await eventually(`the workers hold ${expected} objects`, isRight, { timeoutMs: 10_000 });
  } catch (error) {
    throw new assert.AssertionError({ message: `${(error as Error).message}; they hold ${held.join(' + ')}` });
  }
}

async function forEachAtOnce<T>(atOnce: number, items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const left = items.values();
  const lane = async (): Promise<void> => {
    for (const item of left) await work(item);
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
}
