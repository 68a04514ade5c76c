import { chainStart } from '#jetstream';
import { hexOf, shortDigest } from './short-digest.js';

/** How many boundaries are remembered: the last written ones. On any other boundary, `prev` is not checked. */
const remembered = 10_000;

/** The digest of the last message of each boundary, void or not. The next message must name it as its `prev`. */
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

  /** Whether a commit that names `prev` may follow the last message of its boundary. */
  follows(boundary: string, prev: string): boolean {
    const head = this.heads.get(boundary);
    return head === undefined || (prev !== chainStart && shortDigest(prev) === head);
  }

  toSnapshot(): [string, string][] {
    return [...this.heads].map(([boundary, digest]) => [boundary, hexOf(digest)]);
  }
}
