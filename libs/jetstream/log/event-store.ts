import { isDeepStrictEqual } from 'node:util';
import { type JetStreamPublishOptions } from 'nats';
import { DomainError, type RecordedEvent } from '#kernel';
import { ChainHeads } from './chain-heads.js';
import { chainStart, messageDigest } from './chain.js';
import { type EventCodec } from './codec.js';
import { CommitWriter, type EncodedCommit } from './commit-writer.js';
import { type NatsLink } from '../link/connection.js';
import { ApiCode, apiCodeOf, appendRefused, isDefiniteRefusal, StaleVersionError } from '../link/errors.js';
import { type AppendOptions, type EventStoreOptions } from './event-store.types.js';
import { believesAll } from './judge.js';
import { LeaderSearch } from '../stream/leader-search.js';
import { LogReads } from './log-reads.js';
import { RetryBudget } from '../link/retry-budget.js';
import { type Names } from '../names/streams.js';

/** Longer than the election of a leader takes (4 to 10 s), so that a write outlives one. */
const defaultBudgetMs = 11_000;
/** Time limit of one attempt; the last attempt gets less. */
const publishTimeoutMs = 2_000;
/** Refusals of a fact which only mean that the boundary has grown, or is growing: the fact goes behind the new end. */
const movedOn: ReadonlySet<number> = new Set([
  ApiCode.wrongLastSequence,
  ApiCode.wrongLastSequenceInProcess,
  ApiCode.duplicateInProcess,
]);

/** The domain's log: guarded appends, and reads. */
export class EventStore extends LogReads {
  private readonly heads: ChainHeads;
  private readonly writer: CommitWriter;
  private readonly leaderSearch: LeaderSearch;

  constructor(
    link: NatsLink,
    names: Names,
    private readonly codec: EventCodec,
    private readonly options: EventStoreOptions = {},
  ) {
    super(link, names, options.judge ?? believesAll(codec));
    this.heads = new ChainHeads((query) => this.messages.find(query), names);
    this.leaderSearch = new LeaderSearch(link, names.eventStream);
    this.writer = new CommitWriter(codec, options.signer, () => this.messages.newest());
  }

  /** A message of the log has been read. What this process signs from now on states it as seen. */
  noticed(sequence: number, digest: string): void {
    this.writer.saw(sequence, digest);
  }

  /**
   * Appends one commit if the boundary's last sequence still is `expected` (0: the boundary is empty). The commit's id
   * is its first event's; a boundary must never be given two commits with the same id.
   *
   * There are two guards, because each alone fails on some server. In replicated 2.9, only the leader checks the
   * expected last sequence of the subject. The message id `<subject>:<expected>` is checked again when the replicas
   * apply the write. The outcome can be left open: by a timeout, a lost connection, no leader, "duplicate", and since
   * 2.12 "wrong sequence" for a retry of our own. Then a read of the message behind `expected` settles it. A retry
   * always has the same bytes. The commit names the digest of the one at `expected`, and is signed if this process has
   * a key.
   *
   * @throws StaleVersionError when another writer has that place; DomainError Unavailable `nats-unreachable` when
   *   nothing was sent, `outcome-unknown` when it was sent and the outcome stays open; what the codec throws.
   */
  async append(
    boundary: string,
    expected: number,
    events: readonly RecordedEvent[],
    options: AppendOptions = {},
  ): Promise<{ sequence: number }> {
    const subject = this.names.eventSubject(boundary);
    let encoded: EncodedCommit | undefined;
    const guard = { msgID: `${subject}:${expected}`, expect: { lastSubjectSequence: expected } };
    /** Sequence of the message that has our message id. */
    let takenBy = 0;
    const retry = new RetryBudget(this.link, this.budgetOf(options));
    let refusals = 0;
    while (await retry.next()) {
      encoded ??= await this.encodeAfter(boundary, expected, events, retry);
      if (encoded === undefined) continue;
      try {
        const ack = await this.publish(subject, encoded.data, guard, retry.attemptMs(publishTimeoutMs));
        if (!ack.duplicate) return this.appended(boundary, expected, ack.seq, encoded);
        takenBy = ack.seq;
      } catch (error) {
        if (error instanceof StaleVersionError) throw error;
        retry.note(error);
        const code = apiCodeOf(error);
        const open =
          code === undefined || code === ApiCode.duplicateInProcess || code === ApiCode.wrongLastSequenceInProcess;
        if (code === ApiCode.wrongLastSequence) refusals++;
        else if (!open && isDefiniteRefusal(error)) throw appendRefused(error);
      }
      try {
        const holder = await this.messages.holderOf(subject, expected);
        if (holder && isSame(holder.data, encoded.data)) {
          return this.appended(boundary, expected, holder.sequence, encoded);
        }
        // All writers that want this place choose the same new id, so that the id still guards it.
        if (!holder && (await this.isElsewhere(takenBy, subject, expected))) {
          guard.msgID = `${subject}:${expected}:${takenBy}`;
        }
        takenBy = 0;
        const actual = holder || refusals >= 3 ? await this.messages.lastSequenceOf(subject) : undefined;
        if (holder) throw new StaleVersionError(boundary, expected, Math.max(actual ?? 0, holder.sequence));
        // Refused although the place is free: the caller expects a sequence that the boundary does not have.
        if (actual !== undefined && actual !== expected) throw new StaleVersionError(boundary, expected, actual);
      } catch (error) {
        if (error instanceof StaleVersionError) throw error;
        retry.noteRead(error);
      }
    }
    throw retry.exhausted();
  }

  /**
   * Appends a fact, a report of what has happened, behind whatever the boundary holds: no other commit can prevent it.
   * Repeating it with the same `dedupeId` within two minutes adds nothing and answers with the first one's sequence.
   * The views must recognise later repetitions. Facts of one boundary are appended one after another, each chained to
   * the one before it.
   *
   * @throws DomainError Unavailable `nats-unreachable` or `outcome-unknown`: call again with the same `dedupeId`.
   */
  async appendFact(
    boundary: string,
    dedupeId: string,
    events: readonly RecordedEvent[],
    options: AppendOptions = {},
  ): Promise<{ sequence: number; duplicate: boolean }> {
    // Refuse it at once, before it waits its turn.
    this.codec.encode({ commitId: '', events }, this.link.maxPayloadBytes);
    return this.heads.inTurn(boundary, () => this.appendBehind(boundary, dedupeId, events, options));
  }

  private async appendBehind(
    boundary: string,
    dedupeId: string,
    events: readonly RecordedEvent[],
    options: AppendOptions,
  ): Promise<{ sequence: number; duplicate: boolean }> {
    const subject = this.names.eventSubject(boundary);
    const retry = new RetryBudget(this.link, this.budgetOf(options));
    /** Digests of all attempts: they differ, because an attempt signs its time and place. */
    const sent = new Set<string>();
    let round = 0;
    while (await retry.next()) {
      try {
        const head = await this.heads.last(boundary);
        // It is an earlier attempt of ours whose answer was lost.
        if (head && sent.has(head.digest)) return { sequence: head.sequence, duplicate: true };
        const after = head?.sequence ?? 0;
        const encoded = await this.writer.encode(boundary, { after, prev: head?.digest ?? chainStart }, events);
        const expect = { lastSubjectSequence: after };
        const msgID = `${subject}#${dedupeId}${round > 0 ? `#${round}` : ''}`;
        sent.add(messageDigest(boundary, encoded.data));
        const ack = await this.publish(subject, encoded.data, { msgID, expect });
        if (ack.duplicate) this.heads.forget(boundary);
        else this.appended(boundary, after, ack.seq, encoded);
        // Sequence 0: the first one is still on its way through the replicas.
        if (ack.seq === 0) continue;
        if (!ack.duplicate || (await this.saysTheSame(boundary, ack.seq, events))) {
          return { sequence: ack.seq, duplicate: ack.duplicate };
        }
        // Another writer has stored something else under this id.
        round++;
      } catch (error) {
        if (error instanceof StaleVersionError) {
          round++;
          continue;
        }
        this.heads.forget(boundary);
        if (isDefiniteRefusal(error) && !movedOn.has(apiCodeOf(error)!)) throw appendRefused(error);
        retry.note(error);
      }
    }
    throw retry.exhausted();
  }

  /**
   * Whether the message with our id does not compete for this place. Message ids belong to the stream, not to the
   * subject: any writer can have used ours before, for anything, anywhere.
   */
  private async isElsewhere(sequence: number, subject: string, expected: number): Promise<boolean> {
    const found = sequence > 0 ? await this.messages.find({ seq: sequence }) : undefined;
    return found !== undefined && (found.subject !== subject || sequence <= expected);
  }

  /** Whether a valid message says the same. Event ids are not compared: they differ when it was recorded twice. */
  private async saysTheSame(boundary: string, sequence: number, events: readonly RecordedEvent[]): Promise<boolean> {
    const found = await this.messages.find({ seq: sequence });
    if (found?.subject !== this.names.eventSubject(boundary)) return false;
    const { data, time } = found;
    const commit = await this.judge.admit({ sequence, boundary, data, recordedAtMs: time.getTime() });
    const said = (all: readonly RecordedEvent[]) => all.map((event) => ({ type: event.type, data: event.data }));
    return commit !== undefined && isDeepStrictEqual(said(commit.events), said(events));
  }

  /** The commit's bytes, chained to the message at `expected`; undefined when that could not be read this time. */
  private async encodeAfter(
    boundary: string,
    expected: number,
    events: readonly RecordedEvent[],
    retry: RetryBudget,
  ): Promise<EncodedCommit | undefined> {
    try {
      const prev = await this.heads.digestAt(boundary, expected);
      if (prev === undefined) {
        throw new StaleVersionError(
          boundary,
          expected,
          await this.messages.lastSequenceOf(this.names.eventSubject(boundary)),
        );
      }
      return await this.writer.encode(boundary, { after: expected, prev }, events, this.link.maxPayloadBytes);
    } catch (error) {
      if (error instanceof DomainError && error.kind !== 'Unavailable') throw error;
      retry.noteRead(error);
      return undefined;
    }
  }

  /** @throws StaleVersionError when the log has grown so much meanwhile that readers reject the commit */
  private appended(boundary: string, expected: number, sequence: number, encoded: EncodedCommit): { sequence: number } {
    const digest = messageDigest(boundary, encoded.data);
    this.heads.remember(boundary, { sequence, digest });
    if (!this.writer.stored(sequence, digest, encoded)) throw new StaleVersionError(boundary, expected, sequence);
    return { sequence };
  }

  private budgetOf(given: AppendOptions): number {
    const { budgetMs = this.options.patienceMs?.() ?? defaultBudgetMs, atMostMs = Infinity } = given;
    return Math.min(budgetMs, atMostMs);
  }

  private async publish(
    subject: string,
    data: Uint8Array,
    options: Partial<JetStreamPublishOptions>,
    timeoutMs?: number,
  ) {
    const expect = { ...options.expect, streamName: this.names.eventStream };
    try {
      const ack = await this.link.abortable(
        () => this.link.js.publish(subject, data, { ...options, expect }),
        timeoutMs,
      );
      this.leaderSearch.answered();
      return ack;
    } catch (error) {
      if (isDefiniteRefusal(error)) this.leaderSearch.answered();
      else this.leaderSearch.failed();
      throw error;
    }
  }
}

/** Compares bytes, not ids: another writer could read an id and use it again. */
function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
