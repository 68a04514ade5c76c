import { createHash } from 'node:crypto';
import { generatedContent, type S3TestServer, type SourceFile } from '#testing';
import type { Target } from './sources.js';

const bucket = 'wide';
/** Eleven pages of a listing. */
const names = 2_200;
const sizeBytes = 100;
const directories = 40;

/** As many names in one directory as in many, of which some have far more than others. They take no memory. */
export class WideListings {
  readonly mount = { path: '/wide', ufs: `s3://${bucket}/` };
  readonly targets: readonly Target[];

  constructor(server: S3TestServer, seed: number) {
    server.createBucket(bucket);
    const inMany = (i: number) => `${String(Math.floor(Math.sqrt(i / names) * directories)).padStart(2, '0')}/`;
    this.targets = [() => '', inMany].map((below, target) => {
      const files = Array.from({ length: names }, (_, i): SourceFile => {
        const key = `t${target}/${below(i)}${String(i).padStart(5, '0')}.dat`;
        server.generate(bucket, key, sizeBytes, seed + i);
        const bytes = Buffer.concat([...generatedContent(seed + i, sizeBytes)]);
        const sha256 = createHash('sha256').update(bytes).digest('hex');
        return { path: `s3://${bucket}/${key}`, sizeBytes, sha256 };
      });
      return { path: `/wide/t${target}`, files };
    });
  }
}
