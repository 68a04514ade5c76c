import { type KeyObject } from 'node:crypto';
import { logBoundary } from '#contexts/log';
import { membershipBoundary } from '#contexts/membership';
import {
  type CommitEnvelope,
  CorruptEventError,
  type DecodedCommit,
  emptyRoot,
  type EventCodec,
  type Gate,
  messageDigest,
  parseEnvelope,
  rollDigest,
  signedBytes,
  splitSignature,
  type StoredCommit,
  UnknownEventError,
  type VoidMessage,
} from '#jetstream';
import { mayWrite, Quarantine, saysOnlyItsOwn, type StoredQuarantine, type Writer } from '../index.js';
import { BoundaryHeads } from './boundary-heads.js';
import { refuseForeignBeginning } from './foreign-beginning.js';
import { MetMessages, ReplayWindow, type StoredWindow } from './replay-window.js';
import { isSignedWith, publicKeyOf, type TrustRing } from './signing-keys.js';
import { CoveredLog, type Coverage, decodeCovered } from './covered-log.js';

export interface LogGateOptions {
  readonly codec: EventCodec;
  readonly ring: TrustRing;
  /** Whether this process signed and stored this message a short while ago. Such a message needs no verification. */
  readonly isOwn?: (digest: string) => boolean;
  /** Called for each message, because every commit that this process signs names a message that it has seen. */
  readonly noticed?: (sequence: number, digest: string) => void;
  /** What a signed checkpoint states about the beginning of the log. These messages are not verified again. */
  readonly coverage?: Coverage;
  /** The reader sees only some boundaries, so the gate does not see every message. Default: it sees them all. */
  readonly partial?: boolean;
  /** Boundaries that the reader does not need. Their messages are not judged: they become commits without events. */
  readonly ignores?: (boundary: string) => boolean;
}

/** The shape of a gate in a snapshot. */
export interface StoredGate {
  /** Sequence of the last message that has passed. */
  readonly sequence: number;
  readonly root: string;
  readonly owedFrom?: number;
  readonly unsignedWorkThrough?: number;
  /** Public keys of workers, base64, by id. */
  readonly workers: Readonly<Record<string, string>>;
  readonly quarantine: StoredQuarantine;
  readonly window: StoredWindow;
  readonly heads: readonly (readonly [boundary: string, digest: string])[];
}

type Verdict = { readonly commit: DecodedCommit } | { readonly why: string; readonly misplaced?: boolean };

/**
 * Judges the messages of the log in their order. From `SigningBegan` on, a message is valid only if a known writer
 * signed it, that writer may write on the boundary, it follows the message before it on the boundary, and it is no
 * replay. Any other message is void. A valid message that cannot be decoded comes from a newer build: that is an error.
 */
export class LogGate implements Gate {
  readonly quarantine: Quarantine;
  private readonly workers = new Map<string, KeyObject>();
  private readonly workerKeys: Record<string, string>;
  private readonly window: ReplayWindow;
  private readonly met = new MetMessages();
  private readonly heads: BoundaryHeads;
  private readonly covered: CoveredLog | undefined;
  private sequence: number;
  private rolling: string;
  /** Every message after this sequence must be signed; undefined before `SigningBegan`. */
  private owedFrom: number | undefined;
  private workThrough: number | undefined;

  constructor(
    private readonly options: LogGateOptions,
    stored?: StoredGate,
  ) {
    this.sequence = stored?.sequence ?? 0;
    this.rolling = stored?.root ?? emptyRoot;
    this.owedFrom = stored?.owedFrom;
    this.workThrough = stored?.unsignedWorkThrough;
    this.workerKeys = { ...stored?.workers };
    for (const [workerId, key] of Object.entries(this.workerKeys)) this.enrol(workerId, key);
    this.quarantine = new Quarantine(stored?.quarantine);
    this.window = new ReplayWindow(this.sequence + 1, stored?.window);
    this.heads = new BoundaryHeads(stored?.heads);
    this.covered = options.coverage && new CoveredLog(options.coverage);
  }

  /** Last sequence of the work stream that may be unsigned; infinite before `SigningBegan`. */
  get unsignedWorkThrough(): number {
    return this.workThrough ?? Infinity;
  }

  /**
   * Judges the next message.
   * @throws UnknownEventError, CorruptEventError for a valid message; DomainError Refused `signing-key-unknown`;
   *   PrefixDiffersError when the messages read differ from those that the signed checkpoint covers
   */
  admit(message: StoredCommit): { readonly commit: DecodedCommit } | { readonly void: VoidMessage } {
    const { sequence, boundary, data } = message;
    if (this.options.ignores?.(boundary)) return { commit: { sequence, boundary, commitId: '', events: [] } };
    const digest = messageDigest(boundary, data);
    const verdict = this.judge(message, digest);
    this.passed(message, digest);
    if ('commit' in verdict) {
      this.learn(verdict.commit);
      return verdict;
    }
    const found = { sequence, boundary, reason: verdict.why };
    this.quarantine.add(found);
    return { void: { ...found, ...(verdict.misplaced && { misplaced: true }) } };
  }

  /**
   * Judges one message out of order. It checks the signature and the writer but not the place, so the message may be a
   * replay.
   * @returns undefined when the message is void, or when only the messages before it could show whether it is
   */
  check(message: StoredCommit): DecodedCommit | undefined {
    const split = splitSignature(message.data);
    if (!split) return undefined;
    const verdict = this.judgeSigned(message, split, undefined);
    return 'commit' in verdict ? verdict.commit : undefined;
  }

  /**
   * A gate for reading some boundaries again from their beginning. It knows the same writers as this gate.
   * @param owedFrom 0: every message must be signed, also those before `SigningBegan`
   */
  fork(owedFrom = this.owedFrom): LogGate {
    const { workerKeys: workers } = this;
    const nothing = { sequence: 0, root: emptyRoot, window: { last: 0, digests: '' }, heads: [] };
    const quarantine = { void: [], acknowledged: [], examples: [] };
    const { codec, ring } = this.options;
    return new LogGate({ codec, ring, partial: true }, { ...nothing, quarantine, workers, owedFrom });
  }

  toSnapshot(): StoredGate {
    return {
      sequence: this.sequence,
      root: this.rolling,
      ...(this.owedFrom !== undefined && { owedFrom: this.owedFrom }),
      ...(this.workThrough !== undefined && { unsignedWorkThrough: this.workThrough }),
      workers: { ...this.workerKeys },
      quarantine: this.quarantine.toSnapshot(),
      window: this.window.toSnapshot(),
      heads: this.heads.toSnapshot(),
    };
  }

  private judge(message: StoredCommit, digest: string): Verdict {
    const { codec } = this.options;
    const covered = this.covered?.says(message.sequence);
    if (covered === 'void') return { why: 'void when a checkpoint was made' };
    if (covered === 'holds') return { commit: decodeCovered(codec, message) };
    const split = splitSignature(message.data);
    if (split) return this.judgeSigned(message, split, digest);
    if (this.owedFrom !== undefined && message.sequence > this.owedFrom) return { why: 'not signed' };
    return this.judgeUnsigned(message);
  }

  /** A message from before `SigningBegan`: it is valid if it can be decoded. */
  private judgeUnsigned(message: StoredCommit): Verdict {
    try {
      const commit = this.options.codec.decode(message.data, message);
      const begins = commit.events.some(({ type }) => type === 'SigningBegan');
      return begins ? { why: 'says that signing began and is not signed' } : { commit };
    } catch (error) {
      if (error instanceof CorruptEventError || error instanceof UnknownEventError) return { why: 'cannot be read' };
      throw error;
    }
  }

  /** @param digest undefined for a message that is judged out of order */
  private judgeSigned(
    message: StoredCommit,
    { body, signature }: NonNullable<ReturnType<typeof splitSignature>>,
    digest: string | undefined,
  ): Verdict {
    const { boundary, sequence } = message;
    let envelope: CommitEnvelope;
    try {
      envelope = parseEnvelope(message.data, sequence);
    } catch (error) {
      if (error instanceof CorruptEventError) return { why: 'cannot be read' };
      throw error;
    }
    const found = this.writerOf(envelope);
    if (!found) {
      if (this.owedFrom === undefined) refuseForeignBeginning(envelope);
      return { why: 'signed by an unknown writer' };
    }
    if (!mayWrite(found.writer, boundary)) return { why: `not for a ${found.writer.role} to write` };
    const own = digest !== undefined && this.options.isOwn?.(digest) === true;
    if (!own && !isSignedWith(found.key, signedBytes(boundary, body), signature)) return { why: 'wrongly signed' };
    if (digest !== undefined) {
      if (this.isReplay(digest)) return { why: 'a replay' };
      const misplaced = this.misplaced(message, envelope);
      if (misplaced !== undefined) return { why: misplaced, misplaced: true };
    }
    if (found.writer.role === 'worker') return this.judgeFact(message, envelope, found.writer);
    return { commit: this.options.codec.decodeEnvelope(envelope, message) };
  }

  /** A worker's commit that this build cannot decode is void: one worker must not be able to stop all readers. */
  private judgeFact(message: StoredCommit, envelope: CommitEnvelope, writer: Writer): Verdict {
    try {
      const commit = this.options.codec.decodeEnvelope(envelope, message);
      return saysOnlyItsOwn(writer, commit) ? { commit } : { why: 'an event that this worker may not write' };
    } catch (error) {
      if (error instanceof CorruptEventError || error instanceof UnknownEventError) return { why: 'cannot be read' };
      throw error;
    }
  }

  private writerOf({ by, key }: CommitEnvelope): { writer: Writer; key: KeyObject } | undefined {
    if (key !== undefined) {
      const known = this.options.ring.publicKey(key);
      return known && { writer: { role: 'coordinator' }, key: known };
    }
    const known = by === undefined ? undefined : this.workers.get(by);
    return known && { writer: { role: 'worker', workerId: by! }, key: known };
  }

  /** Whether the same bytes stood on this boundary a while ago. */
  private isReplay(digest: string): boolean {
    return this.options.partial ? this.met.holds(digest) : this.window.holds(digest);
  }

  private misplaced({ sequence, boundary }: StoredCommit, { prev, seen }: CommitEnvelope): string | undefined {
    if (prev === undefined || seen === undefined) return 'does not name the message before it';
    const fits = this.options.partial ? this.window.couldSee(seen, sequence) : this.window.hasSeen(seen, sequence);
    if (!fits) return 'a replay, or of another log';
    return this.heads.follows(boundary, prev) ? undefined : 'does not follow the message before it';
  }

  private passed({ sequence, boundary }: StoredCommit, digest: string): void {
    this.sequence = sequence;
    this.heads.set(boundary, digest);
    this.options.noticed?.(sequence, digest);
    if (this.options.partial) {
      this.met.add(digest);
      return;
    }
    this.rolling = rollDigest(this.rolling, digest);
    this.window.add(digest);
    this.covered?.passed(sequence, this.rolling);
  }

  private learn(commit: DecodedCommit): void {
    for (const event of logBoundary.eventsIn(commit)) {
      if (event.type === 'SigningBegan') {
        this.owedFrom ??= commit.sequence;
        this.workThrough ??= event.data.workSequence;
      }
      if (event.type === 'MessagesVoided') this.quarantine.acknowledge(event.data.ranges);
    }
    for (const event of membershipBoundary.eventsIn(commit)) {
      if (event.type !== 'WorkerJoined' && event.type !== 'WorkerReturned') continue;
      const { workerId, publicKey } = event.data;
      if (publicKey === undefined) continue;
      this.workerKeys[workerId] = publicKey;
      this.enrol(workerId, publicKey);
    }
  }

  private enrol(workerId: string, publicKey: string): void {
    try {
      this.workers.set(workerId, publicKeyOf(Buffer.from(publicKey, 'base64')));
    } catch {
      // Coordinators admit no worker with such a key. If the log has one all the same, all its messages are void.
      this.workers.delete(workerId);
    }
  }
}
