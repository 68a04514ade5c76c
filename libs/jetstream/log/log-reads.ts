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

/** The log as it can be read: whole, by boundary, and where it ends. */
export class LogReads {
  protected readonly messages: LogMessages;

  constructor(
    protected readonly link: NatsLink,
    protected readonly names: Names,
    /** Which messages are part of history. Whoever knows better than the messages themselves takes its place here. */
    public judge: Judge,
  ) {
    this.messages = new LogMessages(link, names);
  }

  /**
   * Where a boundary ends, as the stream's leader knows it; undefined for an empty one. Where its last message is void
   * (a replay is) the boundary is read in order to find the last that holds.
   * @param judge says which of its messages hold. Default: the one of all reads
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
   * Whether a commit stands where its writer put it: right behind the message that it names. Who reads the boundary in
   * order knows that anyway; who reads the commit alone asks here, for its signature is as good on a replay. Costs two
   * requests at once, each for one message at a known place: the server searches no further than from there to this one.
   *
   * @returns false also where it cannot be told: the commit is older than `after` is, or what it follows was archived
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
  async *readBoundary(filter: string, options: ReadOptions = {}, judge = this.judge): AsyncGenerator<DecodedCommit> {
    const admit = judge.inOrder();
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
