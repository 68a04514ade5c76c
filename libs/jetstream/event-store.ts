import { type JetStreamPublishOptions, type StoredMsg } from 'nats';
import { DomainError, type RecordedEvent } from '#kernel';
import { ChainHeads } from './chain-heads.js';
import { chainStart, messageDigest } from './chain.js';
import { type DecodedCommit, type EventCodec } from './codec.js';
import { CommitWriter, type EncodedCommit } from './commit-writer.js';
import { confirmedInfo } from './confirmed-info.js';
import { confirmedLast } from './confirmed-last.js';
import { type NatsLink } from './connection.js';
import { ApiCode, apiCodeOf, appendRefused, isDefiniteRefusal, StaleVersionError } from './errors.js';
import { type AppendOptions, type BoundaryEnd, type EventStoreOptions, type LogInfo } from './event-store.types.js';
import { believesAll, type Judge } from './judge.js';
import { recordedAt } from './pull-subscription.js';
import { readStoredCommits, type ReadOptions, type StoredCommit } from './read-stored-commits.js';
import { RetryBudget, unavailableUnlessRefused } from './retry-budget.js';
import { infoOfLeader } from './stream-info.js';
import { type Names, streamIdOf } from './streams.js';

/** Longer than the election of a leader takes (4 to 10 s), so that a write outlives one. */
const defaultBudgetMs = 11_000;
/** A stream without a leader answers nothing at all: its new one is to be asked soon. */
const messageTimeoutMs = 1_000;
/** Of the first attempts; the last is cut short. */
const publishTimeoutMs = 2_000;
/** Refusals of a fact that only mean that the boundary has grown, or is growing: it goes behind what came first. */
const movedOn: ReadonlySet<number> = new Set([
  ApiCode.wrongLastSequence,
  ApiCode.wrongLastSequenceInProcess,
  ApiCode.duplicateInProcess,
]);

type MessageQuery = { last_by_subj: string } | { seq: number; next_by_subj: string } | { seq: number };

/** The domain's log: guarded appends, and reads. */
export class EventStore {
  /** Which messages are part of history. Whoever knows better than the messages themselves takes its place here. */
  judge: Judge;
  private readonly heads: ChainHeads;
  private readonly writer: CommitWriter;

  constructor(
    private readonly link: NatsLink,
    private readonly names: Names,
    private readonly codec: EventCodec,
    private readonly options: EventStoreOptions = {},
  ) {
    this.judge = options.judge ?? believesAll(codec);
    this.heads = new ChainHeads((query) => this.message(query), names);
    this.writer = new CommitWriter(codec, options.signer, () => this.newestMessage());
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
    const retry = new RetryBudget(this.link, this.budgetOf(options));
    let refusals = 0;
    while (await retry.next()) {
      encoded ??= await this.encodeAfter(boundary, expected, events, retry);
      if (encoded === undefined) continue;
      try {
        const ack = await this.publish(subject, encoded.data, guard, retry.attemptMs(publishTimeoutMs));
        if (!ack.duplicate) return this.appended(boundary, expected, ack.seq, encoded);
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
        const holder = await this.holderOf(subject, expected);
        if (holder && isSame(holder.data, encoded.data)) {
          return this.appended(boundary, expected, holder.sequence, encoded);
        }
        const actual = holder || refusals >= 3 ? await this.lastSequenceOf(subject) : undefined;
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
        const encoded = await this.writer.encode(boundary, head?.digest ?? chainStart, events);
        const expect = { lastSubjectSequence: head?.sequence ?? 0 };
        const msgID = `${subject}#${dedupeId}${round > 0 ? `#${round}` : ''}`;
        sent.add(messageDigest(boundary, encoded.data));
        const ack = await this.publish(subject, encoded.data, { msgID, expect });
        if (ack.duplicate) this.heads.forget(boundary);
        else this.appended(boundary, head?.sequence ?? 0, ack.seq, encoded);
        // Sequence 0: the first one is still on its way through the replicas.
        if (ack.seq > 0) return { sequence: ack.seq, duplicate: ack.duplicate };
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

  /** Where a boundary ends, as the stream's leader knows it; undefined for an empty one. @throws DomainError Unavailable */
  async lastOf(boundary: string): Promise<BoundaryEnd | undefined> {
    const message = await this.message({ last_by_subj: this.names.eventSubject(boundary) });
    if (!message) return undefined;
    const { seq: sequence, data } = message;
    let commit = await this.judge.admit({ sequence, boundary, data, recordedAtMs: message.time.getTime() });
    if (!commit) for await (const one of this.readBoundary(boundary, { through: sequence })) commit = one;
    return { sequence, commit };
  }

  /** Nothing that matches and that anybody was told is stored at the call lies behind it; 0: none. `filter` as in `Names`. */
  async lastSequence(filter = '>'): Promise<number> {
    return filter === '>' ? (await this.info()).lastSequence : this.confirmedLastOf(filter);
  }

  /** All that anybody was told is stored by the time of the call is within these ends. @throws DomainError Unavailable */
  info(): Promise<LogInfo> {
    return this.ask(confirmedInfo);
  }

  /** The same by one server's word, so that it may be old: for whoever can live with that, and wants no other within reach. */
  unconfirmedInfo(): Promise<LogInfo> {
    return this.ask(infoOfLeader);
  }

  private async ask(question: typeof confirmedInfo): Promise<LogInfo> {
    const info = await this.request(() => question(this.link, this.names.eventStream));
    const { created, state } = info;
    return {
      streamId: streamIdOf(info),
      firstSequence: state.first_seq,
      lastSequence: state.last_seq,
      createdAt: created,
    };
  }

  /**
   * All commits of the boundaries that match, from a sequence to what is the end when the call is made, in order; void
   * messages are passed over. On a log of millions a filter for one boundary costs the server a scan (0.1 to 2 s).
   *
   * @throws DomainError Unavailable when nothing comes for `stallTimeoutMs`; UnknownEventError
   */
  async *readBoundary(filter: string, options: ReadOptions = {}): AsyncGenerator<DecodedCommit> {
    const admit = this.judge.inOrder();
    for await (const message of this.readMessages(filter, options)) {
      const commit = await admit(message);
      if (commit) yield commit;
    }
  }

  /** The commit in a message that was read from the log; undefined where it is void. @throws UnknownEventError */
  admitted(message: StoredCommit): Promise<DecodedCommit | undefined> {
    return this.judge.admit(message);
  }

  /**
   * The same as stored bytes, neither decoded nor validated: for whoever copies, hashes or searches the log. A reader
   * that falls behind holds the server up, not memory.
   *
   * @throws DomainError Unavailable when nothing comes for `stallTimeoutMs`.
   */
  async *readMessages(filter = '>', options: ReadOptions = {}): AsyncGenerator<StoredCommit> {
    const { stallTimeoutMs = 10_000, acceptGaps, signal } = options;
    const { firstSequence, lastSequence } = await this.info();
    // What was archived is no gap.
    const from = Math.max(options.from ?? 1, firstSequence);
    // With gaps, the end itself may be one.
    const known = filter === '>' && !acceptGaps;
    const last = known ? lastSequence : await this.confirmedLastOf(filter);
    const end = Math.min(last, options.through ?? Infinity);
    if (end < from) return;
    const { link, names } = this;
    yield* readStoredCommits({ link, names, filter, from, end, stallTimeoutMs, signal, acceptGaps });
  }

  /**
   * Every message that matches, from a sequence on and for ever: what is appended later comes when it is appended.
   * Trouble with NATS is waited out; nothing is skipped and nothing comes twice. Ends when the signal is aborted.
   *
   * @param from at most one behind the end of the log.
   * @throws LogDamagedError
   */
  follow(filter: string, { from, signal }: { from: number; signal: AbortSignal }): AsyncGenerator<StoredCommit> {
    const { link, names } = this;
    // Few under way: there may be many followers, each at a pace of its own.
    const bounds = { end: Infinity, stallTimeoutMs: Infinity, batch: 100 };
    return readStoredCommits({ link, names, filter, from, signal, ...bounds });
  }

  /**
   * When the log took in the first message at or behind a sequence, milliseconds since the epoch; of a restored message,
   * when the original log did. Undefined behind the end of the log.
   */
  async recordedAt(sequence: number): Promise<number | undefined> {
    const message = await this.message({ seq: sequence, next_by_subj: this.names.eventSubjects });
    return message && (recordedAt({ headers: message.header }) ?? message.time.getTime());
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
        throw new StaleVersionError(boundary, expected, await this.lastSequenceOf(this.names.eventSubject(boundary)));
      }
      return await this.writer.encode(boundary, prev, events, this.link.maxPayloadBytes);
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

  private publish(subject: string, data: Uint8Array, options: Partial<JetStreamPublishOptions>, timeoutMs?: number) {
    const expect = { ...options.expect, streamName: this.names.eventStream };
    return this.link.abortable(() => this.link.js.publish(subject, data, { ...options, expect }), timeoutMs);
  }

  /** Whose commit follows `expected` on the subject. */
  private async holderOf(subject: string, expected: number) {
    const message = await this.message({ seq: expected + 1, next_by_subj: subject });
    return message && { sequence: message.seq, data: message.data };
  }

  /** The last message of the log, whoever wrote it. */
  private async newestMessage(): Promise<StoredCommit | undefined> {
    const message = await this.message({ last_by_subj: this.names.eventSubjects });
    if (!message) return undefined;
    const boundary = this.names.boundaryOf(message.subject);
    return { sequence: message.seq, boundary, data: message.data, recordedAtMs: message.time.getTime() };
  }

  private confirmedLastOf(filter: string): Promise<number> {
    return this.request(() => confirmedLast(this.link, this.names.eventStream, this.names.eventFilter(filter)));
  }

  private async lastSequenceOf(subject: string): Promise<number> {
    return (await this.message({ last_by_subj: subject }))?.seq ?? 0;
  }

  /** By the stream's own API, which its leader answers: a "direct get" may come from a follower that is behind. */
  private async message(query: MessageQuery): Promise<StoredMsg | undefined> {
    const { link, names } = this;
    try {
      return await this.request(() => link.jsm.streams.getMessage(names.eventStream, query), messageTimeoutMs);
    } catch (error) {
      if (apiCodeOf(error) === ApiCode.noMessageFound) return undefined;
      throw error;
    }
  }

  private request<T>(request: () => Promise<T>, timeoutMs?: number): Promise<T> {
    return unavailableUnlessRefused(this.link, request, timeoutMs);
  }
}

/** Ids could be read by others and used again; bytes are what was sent or they are not. */
function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
