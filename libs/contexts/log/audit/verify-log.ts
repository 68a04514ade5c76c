import {
  type CommitEnvelope,
  emptyRoot,
  type Gate,
  messageDigest,
  messageOf,
  parseEnvelope,
  rollDigest,
  type VoidMessage,
} from '#jetstream';
import { checkpointBoundary, checkpointEvents, logBoundary, logEvents, type LogCheckpointedData } from '../index.js';
import { BoundaryChains } from './boundary-chains.js';
import { isSignedBy, keptPart, keptParts, type SigningKey } from './checkpoints.js';
import { describeDifference, differenceWindow, judgeDifference } from './difference.js';
import { DigestList } from './digest-list.js';
import { faultAt, faultWithin, firstOf, type Fault } from './fault.js';

/** A message as it is stored. */
export interface StoredMessage {
  readonly sequence: number;
  readonly boundary: string;
  readonly data: Uint8Array;
}

export interface VerifyOptions {
  /** First sequence of the log: 1, unless it was archived. */
  readonly firstSequence: number;
  /** Keys for the signatures of checkpoints. Without keys, these signatures are not checked. */
  readonly keys?: readonly SigningKey[];
  /** Roots that were noted outside the log, by sequence: that of a backup, for example. */
  readonly anchors?: ReadonlyMap<number, string>;
  /** Finds void messages by their signatures. Without a gate, these signatures are not checked. */
  readonly gate?: Gate;
}

export interface Verdict {
  readonly count: number;
  readonly lastSequence: number;
  /** Rolling digest of everything that was read. */
  readonly root: string;
  readonly checkpoints: number;
  /** The last message that a checkpoint proves; `firstSequence - 1` when there is no such message. */
  readonly provenThrough: number;
  /** How many messages come from before commits were chained. Only checkpoints prove them. */
  readonly unchained: number;
  /** Ids of keys that signed checkpoints, but were not given in the options. */
  readonly unknownKeys: readonly string[];
  /** The first void messages, at most `maxVoid`. */
  readonly void: readonly VoidMessage[];
  /** The first fault. */
  readonly fault?: Fault;
}

/** How many void messages are listed at most. */
const maxVoid = 100;
/** A longer gap ends the verification: it is reported, and the messages after it are not read. */
const maxGap = 1_000_000;

/**
 * Reads a log message by message and finds the first one that was changed, removed or inserted. It checks three things:
 * the sequences, which have no gaps; the chain along each boundary; and checkpoints, which keep a part of the digest of
 * each message they cover. Digests that a checkpoint proves are dropped. So memory grows with the messages since the
 * last checkpoint (32 bytes each) and with the number of boundaries (about 200 bytes each).
 */
export class LogVerifier {
  private readonly digests: DigestList;
  private readonly chains: BoundaryChains;
  private readonly faults: Fault[] = [];
  /** Faults whose place is only known as a stretch. */
  private readonly vague: Fault[] = [];
  private readonly unknownKeys = new Set<string>();
  private readonly void: VoidMessage[] = [];
  private count = 0;
  private root = emptyRoot;
  private checkpoints = 0;
  /** The last message that a checkpoint covers; undefined before the first. */
  private covered: number | undefined;
  private provenThrough: number;
  /** Whether the roots of the digest list are those of the log. In an archived log: from the first checkpoint on. */
  private rootKnown: boolean;
  /** The first difference from a checkpoint, with the digests that checkpoints keep from there on. */
  private difference: { readonly at: number; readonly known: string[]; readonly covers: string } | undefined;

  constructor(private readonly options: VerifyOptions) {
    const { firstSequence } = options;
    this.digests = new DigestList(firstSequence);
    this.chains = new BoundaryChains(firstSequence === 1);
    this.provenThrough = firstSequence - 1;
    this.rootKnown = firstSequence === 1;
  }

  /** @returns whether the next message is wanted */
  add(message: StoredMessage): boolean {
    const { sequence, boundary, data } = message;
    const expected = this.digests.last + 1;
    if (sequence < expected) {
      this.faults.push(faultAt('inserted', sequence, `It comes again, behind the message at ${expected - 1}.`));
      return true;
    }
    if (sequence > expected && !this.passGap(expected, sequence)) return false;
    const digest = messageDigest(boundary, data);
    this.count++;
    this.digests.push(digest);
    this.root = rollDigest(this.root, digest);
    const anchor = this.options.anchors?.get(sequence);
    if (anchor !== undefined) this.checkRoot(anchor, 'The root noted elsewhere');
    if (this.isForeign(message)) {
      this.chains.addVoid(sequence, boundary, digest);
      return true;
    }
    let envelope: CommitEnvelope;
    try {
      envelope = parseEnvelope(data, sequence);
    } catch (error) {
      this.faults.push(faultAt('changed', sequence, `It is not what Larder writes: ${messageOf(error)}.`));
      return true;
    }
    this.chains.add(sequence, boundary, digest, envelope.prev);
    if (boundary === checkpointBoundary.name || boundary === logBoundary.name) this.addEvents(sequence, envelope);
    return true;
  }

  finish(): Verdict {
    for (const anchored of this.options.anchors?.keys() ?? []) {
      if (anchored <= this.digests.last) continue;
      const why = `A root was noted elsewhere at ${anchored}, and the log ends before that.`;
      this.faults.push(faultAt('removed', this.digests.last + 1, why));
    }
    const { digests, chains, count, checkpoints, provenThrough, root } = this;
    const precise = [...this.faults, ...this.judgedDifference(), ...chains.faults(provenThrough)];
    return {
      count,
      lastSequence: digests.last,
      root,
      checkpoints,
      provenThrough,
      unchained: chains.unchained,
      unknownKeys: [...this.unknownKeys],
      void: this.void,
      fault: firstOf(precise, this.vague),
    };
  }

  /** Compares the root of the messages read so far with one noted elsewhere, such as that of a backup's trailer. */
  checkRoot(root: string, witness: string): void {
    if (root !== this.root) this.rootDiffers(this.digests.last, root, this.root, witness);
  }

  /** Tells the last sequence of the log. If fewer messages were read, those at the end were removed. */
  endsAt(lastSequence: number): void {
    const { last } = this.digests;
    if (last < lastSequence) this.faults.push(faultAt('removed', last + 1, `The log goes on to ${lastSequence}.`));
  }

  /** Void and not signed by a known writer. One that is signed but misplaced still names the message before it. */
  private isForeign(message: StoredMessage): boolean {
    const judged = this.options.gate?.admit({ recordedAtMs: 0, ...message });
    if (!judged || 'commit' in judged) return false;
    if (this.void.length < maxVoid) this.void.push(judged.void);
    return judged.void.misplaced !== true;
  }

  private passGap(from: number, to: number): boolean {
    const missing = to - from === 1 ? 'This sequence is' : `The sequences from here through ${to - 1} are`;
    this.faults.push(faultAt('removed', from, `${missing} missing: the next message is at ${to}.`));
    if (to - from > maxGap) return false;
    // A digest that no message has fills each missing place, so that later messages keep theirs.
    for (let at = from; at < to; at++) this.digests.push('0'.repeat(64));
    return true;
  }

  private rootDiffers(sequence: number, root: string, own: string, witness: string): void {
    // Without keys, a checkpoint's signature is not checked. Then it proves nothing against a root kept elsewhere.
    const from = this.options.keys ? Math.min(this.provenThrough + 1, sequence) : 1;
    const why = `${witness} is ${root} at ${sequence}, and that of this log is ${own}.`;
    this.vague.push(faultWithin(from, sequence, from, why));
  }

  private addEvents(sequence: number, { events }: CommitEnvelope): void {
    for (const { type, data } of events) {
      if (type === 'LogCheckpointed') {
        const parsed = checkpointEvents.LogCheckpointed.schema.safeParse(data);
        if (parsed.success) this.addCheckpoint(sequence, parsed.data);
        else this.faults.push(faultAt('changed', sequence, 'It is no checkpoint as Larder writes them.'));
      }
      if (type === 'LogRestored') {
        const parsed = logEvents.LogRestored.schema.safeParse(data);
        if (parsed.success) this.addRestore(sequence, parsed.data);
        else this.faults.push(faultAt('changed', sequence, 'It is no restore as Larder writes them.'));
      }
    }
  }

  private addRestore(sequence: number, { throughSequence, root }: { throughSequence: number; root: string }): void {
    if (this.options.firstSequence !== 1 || this.difference) return;
    const own = this.digests.rootAt(throughSequence);
    if (own === undefined || own === root) return;
    this.rootDiffers(throughSequence, root, own, `The root recorded at ${sequence}, when a backup was restored,`);
  }

  private addCheckpoint(sequence: number, data: LogCheckpointedData): void {
    this.checkpoints++;
    if (!this.mayRelyOn(sequence, data)) return;
    this.covered = data.throughSequence;
    const known = keptParts(data);
    if (this.difference) {
      this.difference.known.push(...known);
      return;
    }
    // In an archived log, the first checkpoint may cover messages that are no longer there.
    const skipped = Math.max(0, this.digests.start - data.fromSequence);
    const differs = (kept: string, i: number) =>
      i >= skipped && kept !== keptPart(this.digests.at(data.fromSequence + i) ?? '');
    const index = known.findIndex(differs);
    if (index < 0) this.compareRoots(sequence, data);
    else this.differsAt(data.fromSequence + index, known.slice(index), sequence, data.throughSequence);
  }

  private differsAt(at: number, known: string[], sequence: number, throughSequence: number): void {
    this.provenThrough = at - 1;
    const covers = `The checkpoint at ${sequence}`;
    this.difference = { at, known, covers };
    // A checkpoint stands after the messages it covers. If one of them was removed, the checkpoint has moved up, too.
    if (throughSequence < sequence) return;
    const why = `${covers} covers messages through ${throughSequence}, which must stand before it.`;
    this.faults.push(faultAt('removed', at, why));
  }

  /** Notes what is wrong with the checkpoint itself. @returns whether its content can be used */
  private mayRelyOn(sequence: number, data: LogCheckpointedData): boolean {
    const { fromSequence, throughSequence, keyId } = data;
    const unproven = this.provenThrough + 1;
    const key = this.options.keys?.find(({ id }) => id === keyId);
    if (this.options.keys && !key) this.unknownKeys.add(keyId);
    if (key && !isSignedBy(key, data)) {
      const why = `The signature of the checkpoint at ${sequence} is not that of the key "${keyId}": it, or a message that it covers, was forged.`;
      this.vague.push(faultWithin(unproven, sequence, sequence, why));
      return false;
    }
    if (keptParts(data).length !== throughSequence - fromSequence + 1) {
      const why = `It does not keep a digest for each message from ${fromSequence} through ${throughSequence}.`;
      this.faults.push(faultAt('changed', sequence, why));
      return false;
    }
    const expected = this.covered === undefined ? this.options.firstSequence : this.covered + 1;
    if (fromSequence !== expected && !(this.covered === undefined && fromSequence < expected)) {
      const why = `The checkpoint at ${sequence} covers messages from ${fromSequence} where those before it go on at ${expected}.`;
      this.vague.push(faultWithin(unproven, sequence, sequence, why));
    }
    return true;
  }

  private compareRoots(sequence: number, { throughSequence, root }: LogCheckpointedData): void {
    if (this.rootKnown && this.digests.rootAt(throughSequence) !== root) {
      const why = `Its root does not follow from the messages through ${throughSequence}, whose digests it knows.`;
      this.faults.push(faultAt('changed', sequence, why));
      return;
    }
    this.rootKnown = true;
    this.provenThrough = throughSequence;
    this.digests.dropThrough(throughSequence, root);
  }

  private judgedDifference(): Fault[] {
    if (!this.difference) return [];
    const { at, known, covers } = this.difference;
    const found = this.digests.from(at, differenceWindow).map(keptPart);
    const judged = judgeDifference(known.slice(0, differenceWindow), found);
    return [faultAt(judged.kind, at, describeDifference(judged, covers))];
  }
}
