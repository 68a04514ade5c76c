import { emptyRoot, rollDigest } from '#jetstream';

const digestBytes = 32;

/** Digests of consecutive messages, 32 bytes each. The older ones can be dropped. */
export class DigestList {
  private bytes = Buffer.alloc(1024 * digestBytes);
  private length = 0;
  /** Rolling digest of everything before `first`. */
  private base = emptyRoot;

  /** @param first sequence of the first message */
  constructor(private first: number) {}

  /** The first sequence that is held. */
  get start(): number {
    return this.first;
  }

  /** Sequence of the last message, `first - 1` when there is none. */
  get last(): number {
    return this.first + this.length - 1;
  }

  push(digest: string): void {
    if (this.length * digestBytes === this.bytes.length)
      this.bytes = Buffer.concat([this.bytes], 2 * this.bytes.length);
    this.bytes.write(digest, this.length * digestBytes, 'hex');
    this.length++;
  }

  /** Undefined for a sequence that is not held. */
  at(sequence: number): string | undefined {
    const index = sequence - this.first;
    if (index < 0 || index >= this.length) return undefined;
    return this.bytes.toString('hex', index * digestBytes, (index + 1) * digestBytes);
  }

  /** The digests from a sequence on, at most `count`. */
  from(sequence: number, count: number): string[] {
    const found: string[] = [];
    for (let at = sequence; at < sequence + count && at <= this.last; at++) found.push(this.at(at)!);
    return found;
  }

  /** Rolling digest up to and including a sequence; undefined when that was dropped or not added yet. */
  rootAt(sequence: number): string | undefined {
    if (sequence < this.first - 1 || sequence > this.last) return undefined;
    let root = this.base;
    for (let at = this.first; at <= sequence; at++) root = rollDigest(root, this.at(at)!);
    return root;
  }

  /** Drops the digests up to and including a sequence. @param root rolling digest there */
  dropThrough(sequence: number, root: string): void {
    const count = sequence - this.first + 1;
    this.bytes.copyWithin(0, count * digestBytes, this.length * digestBytes);
    this.first += count;
    this.length -= count;
    this.base = root;
  }
}
