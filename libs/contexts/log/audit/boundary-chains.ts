import { chainStart } from '#jetstream';
import { faultAt, type Fault } from './fault.js';

/** The end of one boundary as far as it has been read. Digests are packed: there may be a million of these. */
interface Head {
  sequence: number;
  digest: string;
  /** Digest of the message before it; `chainStart` for a boundary's first. */
  before: string;
  chained: boolean;
  /** The message at `sequence` does not name the one before it. */
  broken?: Break;
}

/** A message that does not name the one before it on its boundary. */
interface Break {
  readonly boundary: string;
  /** Of the message before it; undefined when it is the boundary's first. */
  readonly after?: number;
  readonly witness: number;
}

/** More would tell nothing more about the first. */
const maxNoted = 1_000;

/**
 * Follows `prev` along every boundary. A broken link tells that something is wrong at or before it, often not exactly
 * what: the message before was changed, or one in between removed, or this one slipped in. The next message of the
 * boundary names its own predecessor and so tells which of them were there when it was written.
 */
export class BoundaryChains {
  private readonly heads = new Map<string, Head>();
  private readonly breaks = new Set<Break>();
  private readonly certain: Fault[] = [];
  /** Messages from before commits were chained. */
  unchained = 0;

  /** @param fromStart whether the log is read from its first message: otherwise a boundary may begin anywhere */
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
   * A message that is no part of history: what was written after it names it all the same. What does not was there before
   * it, which has slipped in since.
   */
  addVoid(sequence: number, boundary: string, digest: string): void {
    const last = this.heads.get(boundary);
    const chained = last?.chained ?? false;
    this.heads.set(boundary, { sequence, digest: packed(digest), before: last?.digest ?? chainStart, chained });
  }

  /** @param equalThrough up to here every message is proven to be what it was when a checkpoint was made */
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
    // It was written when the last one was not there.
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
      `or the one at ${witness} slipped in.`;
    return { kind: 'altered', sequence: after, possible: { from: after, through: witness }, why };
  }
  const known = after === undefined ? ', because none is left' : `, the one at ${after}, which a checkpoint proves`;
  const why = `${link}${known}: either one after ${equalThrough} was removed, or this one slipped in.`;
  return { kind: 'altered', sequence: witness, possible: { from: equalThrough + 1, through: witness }, why };
}
