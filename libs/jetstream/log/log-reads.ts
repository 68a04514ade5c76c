import { chainStart, messageDigest } from './chain.js';
import { type DecodedCommit } from './codec.js';
import { seenWindow } from './commit-writer.js';
import { confirmedInfo } from '../stream/confirmed-info.js';
import { confirmedLast } from '../stream/confirmed-last.js';
import { type NatsLink } from '../link/connection.js';
import { type BoundaryEnd, type LogInfo } from './event-store.types.js';
import { type Judge } from './judge.js';
import { LogMessages } from './log-messages.js';
import { recordedAt } from '../stream/pull-subscription.js';
import { readStoredCommits, type ReadOptions, type StoredCommit } from './read-stored-commits.js';
import { unavailableUnlessRefused } from '../link/retry-budget.js';
import { infoOfLeader } from '../stream/stream-info.js';
import { type Names, streamIdOf } from '../names/streams.js';

/** Reads of the log: the whole of it, one boundary, or only its end. */
export class LogReads {
  protected readonly messages: LogMessages;

  constructor(
    protected readonly link: NatsLink,
    protected readonly names: Names,
    /**
     * Decides which messages are part of history. May be replaced by a judge that knows more than the messages tell.
     */
    public judge: Judge,
  ) {
    this.messages = new LogMessages(link, names);
  }

  /**
   * Where a boundary ends, as the stream's leader knows it; undefined for an empty one. If its last message is void (as
   * a replay is), the boundary is read in order to find the last valid one.
   * @param judge decides which of its messages are valid. Default: the judge of all reads
   * @throws DomainError Unavailable
   */
  async lastOf(boundary: string, judge = this.judge): Promise<BoundaryEnd | undefined> {
    const message = await this.messages.find({ last_by_subj: this.names.eventSubject(boundary) });
    if (!message) return undefined;
    const { seq: sequence, data } = message;
    let commit = await judge.admit({ sequence, boundary, data, recordedAtMs: message.time.getTime() });
    if (!commit) for await (const one of this.readBoundary(boundary, { through: sequence }, judge)) commit = one;
    return { sequence, commit };
  }

  /**
   * Whether a commit stands where its writer put it: right behind the message that it names. A reader of the whole
   * boundary knows that anyway. A reader of one commit must ask here, because a replay carries a valid signature, too.
   * Costs two concurrent requests, each for one message at a known place: the server searches no further than to there.
   *
   * @returns false also when it cannot be told: the commit was written before `after` existed, or its predecessor was
   *   archived
   * @throws DomainError Unavailable
   */
  async isInPlace({ sequence, boundary, prev, after, seen }: DecodedCommit): Promise<boolean> {
    const behind = after ?? (prev === chainStart ? 0 : undefined);
    if (prev === undefined || behind === undefined || behind < 0 || seen === undefined) return false;
    if ((behind === 0) !== (prev === chainStart) || seen[0] >= sequence || seen[0] <= sequence - seenWindow)
      return false;
    const subject = this.names.eventSubject(boundary);
    const [next, before] = await Promise.all([
      this.messages.find({ seq: behind + 1, next_by_subj: subject }),
      behind > 0 ? this.messages.find({ seq: behind }) : undefined,
    ]);
    if (next?.seq !== sequence) return false;
    return behind === 0 || (before?.subject === subject && messageDigest(boundary, before.data) === prev);
  }

  /**
   * No matching message whose storage was acknowledged before the call lies behind it; 0: none. `filter` as in `Names`.
   */
  async lastSequence(filter = '>'): Promise<number> {
    return filter === '>' ? (await this.info()).lastSequence : this.confirmedLastOf(filter);
  }

  /** Everything whose storage was acknowledged before the call is within these ends. @throws DomainError Unavailable */
  info(): Promise<LogInfo> {
    return this.ask(confirmedInfo);
  }

  /**
   * The same from one server's answer, which may be outdated: for callers that accept that and must work without other
   * servers.
   */
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
   * All commits of the boundaries that match, in order, from a sequence to the end of the log at the call; void
   * messages are skipped. On a log of millions a filter for one boundary costs the server a scan (0.1 to 2 s).
   *
   * @throws DomainError Unavailable when nothing comes for `stallTimeoutMs`; UnknownEventError
   */
  async *readBoundary(filter: string, options: ReadOptions = {}, judge = this.judge): AsyncGenerator<DecodedCommit> {
    const admit = judge.inOrder();
    for await (const message of this.readMessages(filter, options)) {
      const commit = await admit(message);
      if (commit) yield commit;
    }
  }

  /** The commit in a message that was read from the log; undefined if it is void. @throws UnknownEventError */
  admitted(message: StoredCommit): Promise<DecodedCommit | undefined> {
    return this.judge.admit(message);
  }

  /**
   * The same as stored bytes, neither decoded nor validated: for callers that copy, hash or search the log. A slow
   * caller slows the server down and does not fill memory.
   *
   * @throws DomainError Unavailable when nothing comes for `stallTimeoutMs`.
   */
  async *readMessages(filter = '>', options: ReadOptions = {}): AsyncGenerator<StoredCommit> {
    const { stallTimeoutMs = 10_000, acceptGaps, signal } = options;
    const { firstSequence, lastSequence } = await this.info();
    // Archived messages are no gap.
    const from = Math.max(options.from ?? 1, firstSequence);
    // If gaps are accepted, the message at the end itself may be missing.
    const known = filter === '>' && !acceptGaps;
    const last = known ? lastSequence : await this.confirmedLastOf(filter);
    const end = Math.min(last, options.through ?? Infinity);
    if (end < from) return;
    const { link, names } = this;
    yield* readStoredCommits({ link, names, filter, from, end, stallTimeoutMs, signal, acceptGaps });
  }

  /**
   * Every message that matches, from a sequence on and without end: later messages come when they are appended. It
   * waits while NATS fails; it skips nothing and delivers nothing twice. Ends when the signal is aborted.
   *
   * @param from at most one behind the end of the log.
   * @throws LogDamagedError
   */
  follow(filter: string, { from, signal }: { from: number; signal: AbortSignal }): AsyncGenerator<StoredCommit> {
    const { link, names } = this;
    // A small batch: there may be many followers, each at its own pace.
    const bounds = { end: Infinity, stallTimeoutMs: Infinity, batch: 100 };
    return readStoredCommits({ link, names, filter, from, signal, ...bounds });
  }

  /**
   * When the log stored the first message at or behind a sequence, milliseconds since the epoch; for a restored
   * message, when the original log did. Undefined behind the end of the log.
   */
  async recordedAt(sequence: number): Promise<number | undefined> {
    const message = await this.messages.find({ seq: sequence, next_by_subj: this.names.eventSubjects });
    return message && (recordedAt({ headers: message.header }) ?? message.time.getTime());
  }

  private confirmedLastOf(filter: string): Promise<number> {
    return this.request(() => confirmedLast(this.link, this.names.eventStream, this.names.eventFilter(filter)));
  }

  private request<T>(request: () => Promise<T>, timeoutMs?: number): Promise<T> {
    return unavailableUnlessRefused(this.link, request, timeoutMs);
  }
}
