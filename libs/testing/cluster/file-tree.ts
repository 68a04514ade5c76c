import { createHash } from 'node:crypto';
import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { generatedContent } from '../s3/generated-content.js';

/** A file whose cached copy must equal it. */
export interface SourceFile {
  /** Full UFS path. */
  readonly path: string;
  readonly sizeBytes: number;
  readonly sha256: string;
}

export interface TreeOptions {
  /** Determines bytes and sizes. */
  seed: number;
  smallFiles: number;
  /** The largest size of a small file; the smallest is 0. Default 4096. */
  smallMaxBytes?: number;
  largeFiles?: readonly number[];
  /** Adds one small file for each of `oddNames`. */
  withOddNames?: boolean;
}

/** Names that a faulty layer would change, refuse, or confuse with one another. */
export const oddNames: readonly string[] = [
  'odd/duck \u{1f986} \u{1f468}\u200d\u{1f469}\u200d\u{1f467}.bin',
  'odd/caf\u00e9.bin',
  'odd/cafe\u0301.bin',
  'odd/slash%2Fin name.bin',
  'odd/percent%25.bin',
  'odd/plus+and space.bin',
  'odd/plus and+space.bin',
  'odd/query?and#hash&semi;colon=.bin',
  'odd/"quotes" \'<>[]{}|^~`.bin',
  'odd/back\\slash.bin',
  'odd/ leading and trailing ',
  'odd/...dots...',
  'odd/__proto__',
  `odd/${'l'.repeat(255)}`,
];

/** Files on disk that were made from a seed. */
export class FileTree {
  private constructor(
    /** Absolute, without a trailing slash. */
    readonly directory: string,
    /** Relative names, `/` between segments. */
    private readonly entries: readonly { name: string; sizeBytes: number; sha256: string }[],
  ) {}

  static create(directory: string, options: TreeOptions): FileTree {
    const { seed, smallFiles, smallMaxBytes = 4096, largeFiles = [], withOddNames = false } = options;
    const planned = [
      ...Array.from({ length: smallFiles }, (_, i) => ({
        name: `small/${String(i % 97).padStart(2, '0')}/${String(i).padStart(6, '0')}.dat`,
        // Sizes are spread over the whole range. They include the empty file and the longest one.
        sizeBytes: i < 2 ? i * smallMaxBytes : (Math.imul(i + seed, 2654435761) >>> 0) % (smallMaxBytes + 1),
      })),
      ...largeFiles.map((sizeBytes, i) => ({ name: `large/${i}.dat`, sizeBytes })),
      ...(withOddNames ? oddNames.map((name, i) => ({ name, sizeBytes: 100 + i })) : []),
    ];
    const made = new Set<string>();
    const entries = planned.map(({ name, sizeBytes }, i) => {
      const file = join(directory, name);
      if (!made.has(dirname(file))) mkdirSync(dirname(file), { recursive: true });
      made.add(dirname(file));
      return { name, sizeBytes, sha256: write(file, seed * 1_000_003 + i, sizeBytes) };
    });
    return new FileTree(directory, entries);
  }

  get fileCount(): number {
    return this.entries.length;
  }

  get totalBytes(): number {
    return this.entries.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  }

  /** As UFS paths below `root`, such as `s3://bucket/` or `file:///dir/`. */
  below(root: string): SourceFile[] {
    return this.entries.map(({ name, sizeBytes, sha256 }) => ({ path: root + name, sizeBytes, sha256 }));
  }

  /** The UFS path of the tree for a `file://` mount, with a trailing slash. */
  get fileRoot(): string {
    return `file://${this.directory}/`;
  }
}

function write(file: string, seed: number, sizeBytes: number): string {
  const hash = createHash('sha256');
  const handle = openSync(file, 'w');
  for (const chunk of generatedContent(seed, sizeBytes)) {
    hash.update(chunk);
    writeSync(handle, chunk);
  }
  closeSync(handle);
  return hash.digest('hex');
}
