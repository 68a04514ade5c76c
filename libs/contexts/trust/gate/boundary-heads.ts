import { chainStart } from '#jetstream';
import { hexOf, shortDigest } from './short-digest.js';

/** Boundaries remembered, those that were written last; a commit on any other is believed about what it follows. */
const remembered = 10_000;

/** The digest of the last message of each boundary, void or not: the next one has to name it as its `prev`. */
export class BoundaryHeads {
  private readonly heads = new Map<string, string>();

  /** @param stored oldest first, digests in hexadecimal */
  constructor(stored: readonly (readonly [boundary: string, digest: string])[] = []) {
    for (const [boundary, digest] of stored) this.set(boundary, digest);
  }

  set(boundary: string, digest: string): void {
    this.heads.delete(boundary);
    this.heads.set(boundary, shortDigest(digest));
    if (this.heads.size > remembered) this.heads.delete(this.heads.keys().next().value!);
  }

  /** Whether a commit that names `prev` may follow what stands on its boundary. */
  follows(boundary: string, prev: string): boolean {
    const head = this.heads.get(boundary);
    return head === undefined || (prev !== chainStart && shortDigest(prev) === head);
  }

  toSnapshot(): [string, string][] {
    return [...this.heads].map(([boundary, digest]) => [boundary, hexOf(digest)]);
  }
}
