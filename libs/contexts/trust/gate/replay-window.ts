import { seenWindow, type Seen } from '#jetstream';
import { shortDigest, shortDigestBytes } from './short-digest.js';

/** The shape of a window in a snapshot. */
export interface StoredWindow {
  /** Sequence of the newest message. */
  readonly last: number;
  /** Short digests of the messages up to `last`, one after another, in base64. */
  readonly digests: string;
}

/**
 * The digests of the newest messages of the whole log. They show two things about a commit: whether it stood in the
 * log before, and whether its writer saw this log a short while ago. A replay always fails one of the two checks.
 * Within the window its digest is known. If its original is older than that, so is the message that its writer saw.
 */
export class ReplayWindow {
  /** Short digests, each at its sequence modulo the window. `known` has the same strings. */
  private ring: string[] = [];
  private readonly known = new Map<string, number>();
  private first: number;
  private last: number;

  /** @param next sequence of the first message that will be added */
  constructor(next = 1, stored?: StoredWindow) {
    this.first = next;
    this.last = next - 1;
    if (!stored) return;
    const digests = Buffer.from(stored.digests, 'base64');
    const whole = Math.floor(digests.length / shortDigestBytes);
    const count = Math.min(seenWindow, whole);
    this.first = stored.last - count + 1;
    this.last = this.first - 1;
    // The newest digests are last.
    for (let i = whole - count; i < whole; i++)
      this.push(digests.toString('latin1', i * shortDigestBytes, (i + 1) * shortDigestBytes));
  }

  /** To be called for every message of the log, valid or void. @param digest hexadecimal */
  add(digest: string): void {
    this.push(shortDigest(digest));
  }

  /** Whether the same message is in the window already. */
  holds(digest: string): boolean {
    return this.known.has(shortDigest(digest));
  }

  /** A commit at `sequence` names a message that its writer had seen: whether this log has it, and not too far back. */
  hasSeen([seen, digest]: Seen, sequence: number): boolean {
    if (seen < 0 || seen >= sequence || seen <= sequence - seenWindow) return false;
    // 0: the writer saw an empty log. The window knows nothing about messages before its own first one.
    if (seen === 0) return digest === '';
    if (seen < this.first) return true;
    return this.at(seen) === shortDigest(digest);
  }

  /** The same check for a reader of some boundaries: it compares sequences but no digests. */
  couldSee([seen]: Seen, sequence: number): boolean {
    return seen < sequence && seen > sequence - seenWindow;
  }

  toSnapshot(): StoredWindow {
    const digests = Array.from({ length: this.last - this.first + 1 }, (_, i) => this.at(this.first + i));
    return { last: this.last, digests: Buffer.from(digests.join(''), 'latin1').toString('base64') };
  }

  private at(sequence: number): string {
    return this.ring[sequence % seenWindow];
  }

  private push(digest: string): void {
    const sequence = ++this.last;
    if (sequence - this.first >= seenWindow) {
      const oldest = this.at(this.first);
      if (this.known.get(oldest) === this.first) this.known.delete(oldest);
      this.first++;
    }
    // Made when it is needed: readers of some boundaries have no use for it.
    if (this.ring.length === 0) this.ring = new Array<string>(seenWindow).fill('');
    this.ring[sequence % seenWindow] = digest;
    this.known.set(digest, sequence);
  }
}

/** The digests of the messages that a reader of some boundaries has read, as far back as a replay can reach. */
export class MetMessages {
  private readonly met = new Set<string>();

  add(digest: string): void {
    this.met.add(shortDigest(digest));
    if (this.met.size > seenWindow) this.met.delete(this.met.values().next().value!);
  }

  holds(digest: string): boolean {
    return this.met.has(shortDigest(digest));
  }
}
