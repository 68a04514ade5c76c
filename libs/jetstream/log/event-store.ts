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
/** Of the first attempts; the last is cut short. */
const publishTimeoutMs = 2_000;
/** Refusals of a fact that only mean that the boundary has grown, or is growing: it goes behind what came first. */
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

  /** A message of the log has been read: what this process signs from now on says that it has seen it. */
  noticed(sequence: number, digest: string): void {
    this.writer.saw(sequence, digest);
  }

  /**
   * Appends one commit if the boundary's last sequence still is `expected` (0: the boundary is empty). The commit's id
   * is its first event's; a boundary must never be given two commits with the same id.
   *
   * Guarded twice, because each guard alone fails on some server: the expected last sequence of the subject is checked
   * only by the leader in replicated 2.9, while the message id `<subject>:<expected>` is checked again when the
   * replicas apply the write. Whatever leaves the outcome open (a timeout, a lost connection, no leader, "duplicate",
   * and since 2.12 "wrong sequence" for one's own retry) is settled by reading who has the place behind `expected`.
   * A retry always has the same bytes. The commit is chained to the one at `expected` by that one's digest, and signed
   * where this process has a key.
   *
   * @throws StaleVersionError when somebody else has that place; DomainError Unavailable `nats-unreachable` when
   *   nothing was sent, `outcome-unknown` when it was and its fate could not be learnt; what the codec throws.
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
    /** Where the message stands that has our message id. */
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
        // All who want this place give way alike, so that the id goes on guarding it.
        if (!holder && (await this.isElsewhere(takenBy, subject, expected))) {
          guard.msgID = `${subject}:${expected}:${takenBy}`;
        }
        takenBy = 0;
        const actual = holder || refusals >= 3 ? await this.messages.lastSequenceOf(subject) : undefined;
        if (holder) throw new StaleVersionError(boundary, expected, Math.max(actual ?? 0, holder.sequence));
        // The place is free and yet refused: the caller expects a sequence that the boundary does not have.
        if (actual !== undefined && actual !== expected) throw new StaleVersionError(boundary, expected, actual);
      } catch (error) {
        if (error instanceof StaleVersionError) throw error;
        retry.noteRead(error);
      }
    }
    throw retry.exhausted();
  }

  /**
   * Appends a report of what has happened, behind whatever the boundary holds: nobody can contest it. Repeating it with
   * the same `dedupeId` within two minutes adds nothing and answers with the first one's sequence; later repetitions
   * are for the views to recognise. Facts of one boundary are appended one after another, each chained to the one
   * before it.
   *
   * @throws DomainError Unavailable `nats-unreachable` or `outcome-unknown`: call again with the same `dedupeId`.
   */
  async appendFact(
    boundary: string,
    dedupeId: string,
    events: readonly RecordedEvent[],
    options: AppendOptions = {},
  ): Promise<{ sequence: number; duplicate: boolean }> {
    // Refused at once, not in its turn.
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
    /** What was sent, by its digest: the time and place of an attempt are part of what it signs. */
    const sent = new Set<string>();
    let round = 0;
    while (await retry.next()) {
      try {
        const head = await this.heads.last(boundary);
        // An attempt of ours whose answer was lost.
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
        // Something else was stored under this id, by somebody who is not us.
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
   * Whether what has our message id is no writer of this place. Message ids are the stream's and not the subject's: anybody
   * can have used ours before, for anything, anywhere.
   */
  private async isElsewhere(sequence: number, subject: string, expected: number): Promise<boolean> {
    const found = sequence > 0 ? await this.messages.find({ seq: sequence }) : undefined;
    return found !== undefined && (found.subject !== subject || sequence <= expected);
  }

  /** Whether a message that holds says these very things; their ids are others where they were recorded twice. */
  private async saysTheSame(boundary: string, sequence: number, events: readonly RecordedEvent[]): Promise<boolean> {
    const found = await this.messages.find({ seq: sequence });
    if (found?.subject !== this.names.eventSubject(boundary)) return false;
    const { data, time } = found;
    const commit = await this.judge.admit({ sequence, boundary, data, recordedAtMs: time.getTime() });
    const said = (all: readonly RecordedEvent[]) => all.map((event) => ({ type: event.type, data: event.data }));
    return commit !== undefined && isDeepStrictEqual(said(commit.events), said(events));
  }

  /** The commit's bytes, chained to what stands at `expected`; undefined when that could not be read this time. */
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

  /** @throws StaleVersionError when the log has grown so much meanwhile that readers will not have it */
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

/** Ids could be read by others and used again; bytes are what was sent or they are not. */
function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
