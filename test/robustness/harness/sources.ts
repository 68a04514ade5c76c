import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { FileTree, type SourceFile } from '#testing';
import type { LargeObjects } from './large-objects.js';
import type { WideListings } from './wide-listings.js';

/** A directory of the namespace with files behind it. */
export interface Target {
  /** Such as `/kept/t0`. */
  readonly path: string;
  /** Their paths are UFS paths. */
  readonly files: readonly SourceFile[];
}

export interface Sources {
  /** Local directories by bucket. */
  readonly buckets: Readonly<Record<string, string>>;
  /** On S3. No file below these targets is ever freed. */
  readonly kept: readonly Target[];
  /** Listings of many pages, in one directory and in many. On S3. No file below these targets is ever freed. */
  readonly wide: readonly Target[];
  /** Objects that are fetched in parts, and change. On S3. No file below these targets is ever freed. */
  readonly large: readonly Target[];
  /** On S3 and in directories. Loaded and freed in turns. */
  readonly freed: readonly Target[];
  /** Mounted at `/policies`. Its directories are used only for policies. */
  readonly policyRoot: string;
  /** Mounted and unmounted all the time. */
  readonly churnRoots: readonly string[];
  /** Mounts that the traffic needs all the time: path and UFS. */
  readonly mounts: readonly { readonly path: string; readonly ufs: string }[];
}

export const allTargets = ({ kept, freed, wide, large }: Sources): Target[] => [...kept, ...freed, ...wide, ...large];

const keptTargets = 5;

/** Random files: many small ones, some with a file of their own in a cache, and some that take several reads. */
export function makeSources(
  directory: string,
  seed: number,
  { large, wide }: { large: LargeObjects; wide: WideListings },
): Sources {
  const tree = (name: string, index: number, options: { smallFiles: number; largeFiles?: readonly number[] }) =>
    FileTree.create(join(directory, name), { seed: seed + index, ...options });
  const kept = Array.from({ length: keptTargets }, (_, i) => {
    const largeFiles = i % 2 === 0 ? [300_000, 700_000] : [];
    const files = tree(`kept/t${i}`, i, { smallFiles: 60 + 40 * i, largeFiles }).below(`s3://kept/t${i}/`);
    return { path: `/kept/t${i}`, files };
  });
  const onS3 = tree('freed/t0', 10, { smallFiles: 80, largeFiles: [400_000] }).below('s3://freed/t0/');
  const onDisk = tree('local/t0', 11, { smallFiles: 80, largeFiles: [400_000] });
  const churnRoots = ['a', 'b', 'c'].map((name) => {
    mkdirSync(join(directory, 'churn', name, 'inner'), { recursive: true });
    return `file://${join(directory, 'churn', name)}/`;
  });
  mkdirSync(join(directory, 'policies'), { recursive: true });
  const policyRoot = `file://${join(directory, 'policies')}/`;
  return {
    buckets: { kept: join(directory, 'kept'), freed: join(directory, 'freed') },
    kept,
    wide: wide.targets,
    large: [large.target],
    freed: [
      { path: '/freed/t0', files: onS3 },
      { path: '/local/t0', files: onDisk.below(onDisk.fileRoot) },
    ],
    policyRoot,
    churnRoots: [...churnRoots, `${churnRoots[0]}inner/`],
    mounts: [
      { path: '/kept', ufs: 's3://kept/' },
      { path: '/freed', ufs: 's3://freed/' },
      wide.mount,
      large.mount,
      { path: '/local', ufs: `file://${join(directory, 'local')}/` },
      { path: '/policies', ufs: policyRoot },
    ],
  };
}
