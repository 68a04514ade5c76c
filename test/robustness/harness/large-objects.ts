import { createHash } from 'node:crypto';
import { generatedContent, type Random, type S3TestServer } from '#testing';
import type { Target } from './sources.js';

const bucket = 'large';
/** Above twice the size of a part, from where on workers fetch ranges: the last part is a short one. */
const leastBytes = 17 * 1024 * 1024;
const count = 2;

interface Version {
  readonly sizeBytes: number;
  readonly seed: number;
}

/** Large objects that are replaced now and then, each time by other bytes of another length. They take no memory. */
export class LargeObjects {
  /** By key, the present one last. */
  private readonly all = new Map<string, Version[]>();

  constructor(
    private readonly server: S3TestServer,
    private readonly random: Random,
  ) {
    server.createBucket(bucket);
    for (let i = 0; i < count; i++) this.replace(`t0/${i}.dat`);
  }

  /** How the cluster is asked for them. Their sizes and contents change, so there are none here. */
  get target(): Target {
    return {
      path: '/large/t0',
      files: [...this.all.keys()].map((key) => ({ path: pathOf(key), sizeBytes: 0, sha256: '' })),
    };
  }

  get mount(): { path: string; ufs: string } {
    return { path: '/large', ufs: `s3://${bucket}/` };
  }

  /** Whether a request is for one of them. */
  isOne(asked: { bucket: string; key: string }): boolean {
    return asked.bucket === bucket && this.all.has(asked.key);
  }

  replace(key: string): void {
    const version = { sizeBytes: leastBytes + this.random.below(2_000_000), seed: this.random.below(2 ** 31) };
    this.server.generate(bucket, key, version.sizeBytes, version.seed);
    this.all.set(key, [...(this.all.get(key) ?? []), version]);
  }

  /** SHA-256 of every version there was, by UFS path, the present one last. */
  versions(): Map<string, string[]> {
    return new Map([...this.all].map(([key, versions]) => [pathOf(key), versions.map(sha256Of)]));
  }
}

const pathOf = (key: string): string => `s3://${bucket}/${key}`;

function sha256Of({ seed, sizeBytes }: Version): string {
  const hash = createHash('sha256');
  for (const piece of generatedContent(seed, sizeBytes)) hash.update(piece);
  return hash.digest('hex');
}
