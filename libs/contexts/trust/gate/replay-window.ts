import { seenWindow, type Seen } from '#jetstream';
import { shortDigest, shortDigestBytes } from './short-digest.js';

/** The shape of a window in a snapshot. */
export interface StoredWindow {
  /** Sequence of the newest message. */
  readonly last: number;
  /** Kept parts of the digests of the messages up to `last`, one after another, in base64. */
  readonly digests: string;
}

/**
 * The newest messages of the whole log by their digests. It tells two things of a commit: whether it stood in the log
 * before, and whether its writer had seen this log, not long ago. A replay always fails one of them: within the window
 * it is remembered, behind the window it has seen nothing new enough.
 */
export class ReplayWindow {
  private readonly ring = Buffer.alloc(seenWindow * shortDigestBytes);
  private readonly known = new Map<string, number>();
  private first: number;
  private last: number;

  /** @param next sequence of the first message that will be taken in */
  constructor(next = 1, stored?: StoredWindow) {
    this.first = next;
    this.last = next - 1;
    if (!stored) return;
    const digests = Buffer.from(stored.digests, 'base64');
    const whole = Math.floor(digests.length / shortDigestBytes);
    const count = Math.min(seenWindow, whole);
    this.first = stored.last - count + 1;
    this.last = this.first - 1;
    // The newest stand last.
    for (let i = whole - count; i < whole; i++)
      this.push(digests.toString('latin1', i * shortDigestBytes, (i + 1) * shortDigestBytes));
  }

  /** Every message of the log, held or void. @param digest hexadecimal */
  add(digest: string): void {
    this.push(shortDigest(digest));
  }

  /** Whether this very message stands in the window already. */
  holds(digest: string): boolean {
    return this.known.has(shortDigest(digest));
  }

  /** Whether the message that a commit at `sequence` says its writer had seen is in this log, and not too far back. */
  hasSeen([seen, digest]: Seen, sequence: number): boolean {
    if (seen < 0 || seen >= sequence || seen <= sequence - seenWindow) return false;
    // Before the first message there is nothing to be seen; and before the window was begun, nothing is known.
    if (seen === 0) return digest === '';
    if (seen < this.first) return true;
    return this.at(seen) === shortDigest(digest);
  }

  /** The same as far as a reader of some boundaries can tell. */
  couldSee([seen]: Seen, sequence: number): boolean {
    return seen < sequence && seen > sequence - seenWindow;
  }

  toSnapshot(): StoredWindow {
    const start = (this.first % seenWindow) * shortDigestBytes;
    const length = (this.last - this.first + 1) * shortDigestBytes;
    const older = this.ring.subarray(start, start + length);
    const newer = this.ring.subarray(0, length - older.length);
    return { last: this.last, digests: Buffer.concat([older, newer]).toString('base64') };
  }

  private at(sequence: number): string {
    const place = (sequence % seenWindow) * shortDigestBytes;
    return this.ring.toString('latin1', place, place + shortDigestBytes);
  }

  private push(digest: string): void {
    const sequence = ++this.last;
    if (sequence - this.first >= seenWindow) {
      const oldest = this.at(this.first);
      if (this.known.get(oldest) === this.first) this.known.delete(oldest);
      this.first++;
    }
    this.ring.write(digest, (sequence % seenWindow) * shortDigestBytes, 'latin1');
    this.known.set(digest, sequence);
  }
}

/** The digests of messages that a reader of some boundaries has met, as far back as replays can reach. */
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
