import { chainStart } from '#jetstream';
import { faultAt, type Fault } from './fault.js';

/** The last message read of one boundary. Digests are packed, because there may be a million boundaries. */
interface Head {
  sequence: number;
  digest: string;
  /** Digest of the message before it; `chainStart` for a boundary's first. */
  before: string;
  chained: boolean;
  /** Set when the message at `sequence` does not name the one before it. */
  broken?: Break;
}

/** A message that does not name the one before it on its boundary. */
interface Break {
  readonly boundary: string;
  /** Sequence of the message before it; undefined when it is the first of the boundary. */
  readonly after?: number;
  readonly witness: number;
}

/** Only the first fault is reported, so more are of no use. */
const maxNoted = 1_000;

/**
 * Follows `prev` along every boundary. A broken link shows that something is wrong at or before it: the message before
 * was changed, or one in between was removed, or this one was inserted. Often it does not show which of these. The next
 * message of the boundary names its own predecessor, and so shows which messages were there when it was written.
 */
export class BoundaryChains {
  private readonly heads = new Map<string, Head>();
  private readonly breaks = new Set<Break>();
  private readonly certain: Fault[] = [];
  /** How many messages come from before commits were chained. */
  unchained = 0;

  /** @param fromStart whether the log is read from its first message; otherwise a boundary may begin anywhere */
  constructor(private readonly fromStart: boolean) {}

  add(sequence: number, boundary: string, digest: string, prev: string | undefined): void {
    const last = this.heads.get(boundary);
    const own = packed(digest);
    const head: Head = { sequence, digest: own, before: last?.digest ?? chainStart, chained: prev !== undefined };
    if (prev === undefined) this.addUnchained(head, last);
    else if (last === undefined) {
      if (this.fromStart && prev !== chainStart) head.broken = this.note({ boundary, witness: sequence });
    } else if (packed(prev) !== last.digest) {
      head.broken = this.addBroken(boundary, head, last, packed(prev));
    }
    this.heads.set(boundary, head);
  }

  /**
   * Adds a void message. A message that was written after it still names it. A later message that does not name it was
   * there first: then the void message was inserted.
   */
  addVoid(sequence: number, boundary: string, digest: string): void {
    const last = this.heads.get(boundary);
    const chained = last?.chained ?? false;
    this.heads.set(boundary, { sequence, digest: packed(digest), before: last?.digest ?? chainStart, chained });
  }

  /** @param equalThrough up to here, a checkpoint proves that every message is unchanged */
  faults(equalThrough: number): Fault[] {
    return [...this.certain, ...[...this.breaks].map((one) => faultOf(one, equalThrough))];
  }

  private addUnchained(head: Head, last: Head | undefined): void {
    this.unchained++;
    if (!last?.chained) return;
    head.chained = true;
    const why = `It names no message before it on its boundary, although the one at ${last.sequence} does.`;
    this.certainly(faultAt('inserted', head.sequence, why));
  }

  private addBroken(boundary: string, head: Head, last: Head, prev: string): Break | undefined {
    if (prev !== last.before) return this.note({ boundary, after: last.sequence, witness: head.sequence });
    // This message was written before `last` was there.
    if (last.broken) this.breaks.delete(last.broken);
    const why = `The message at ${head.sequence}, the next on its boundary, names the one before this as its predecessor.`;
    this.certainly(faultAt('inserted', last.sequence, why));
    return undefined;
  }

  private note(found: Break): Break {
    if (this.breaks.size < maxNoted) this.breaks.add(found);
    return found;
  }

  private certainly(fault: Fault): void {
    if (this.certain.length < maxNoted) this.certain.push(fault);
  }
}

/** 32 characters instead of 64. */
function packed(digest: string): string {
  return Buffer.from(digest, 'hex').toString('latin1');
}

function faultOf({ boundary, after, witness }: Break, equalThrough: number): Fault {
  const link = `The message at ${witness} does not name its predecessor on the boundary "${boundary}"`;
  if (witness <= equalThrough) {
    const why = `${link}, and a checkpoint covers both as they are: this was so when the checkpoint was made.`;
    return { kind: 'altered', sequence: after ?? witness, possible: { from: after ?? 1, through: witness }, why };
  }
  if (after !== undefined && after > equalThrough) {
    const why =
      `${link}, the one at ${after}: either that one was changed, or one between ${after} and ${witness} was removed, ` +
      `or the one at ${witness} was inserted.`;
    return { kind: 'altered', sequence: after, possible: { from: after, through: witness }, why };
  }
  const known = after === undefined ? ', because none is left' : `, the one at ${after}, which a checkpoint proves`;
  const why = `${link}${known}: either one after ${equalThrough} was removed, or this one was inserted.`;
  return { kind: 'altered', sequence: witness, possible: { from: equalThrough + 1, through: witness }, why };
}
