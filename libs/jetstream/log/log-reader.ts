import { DomainError } from '#kernel';
import { type DecodedCommit, type EventCodec } from './codec.js';
import { type NatsLink } from '../link/connection.js';
import { type EventStore } from './event-store.js';
import { type Gate, openGate, type VoidMessage } from './judge.js';
import { OrderedConsumer } from '../stream/ordered-consumer.js';
import { SharedQuestion } from './shared-question.js';
import { type Names } from '../names/streams.js';

export interface LogReaderOptions {
  /** First sequence to be delivered: the one behind the snapshot's, or 1. */
  readonly startSequence: number;
  /** Which boundaries, as in `Names.eventFilter`. Undefined: all, and then a gap in the log is fatal. */
  readonly filter?: string;
  /** Each commit once, in order. Synchronous, and must not throw: an error is fatal to the reader. */
  readonly onCommit: (commit: DecodedCommit, recordedAtMs: number) => void;
  /** Called for each message that the gate rejects, in its place among the commits. */
  readonly onVoid?: (message: VoidMessage) => void;
  /** Judges what is read. Default: admits every readable message. */
  readonly gate?: Gate;
  /**
   * The reader has stopped for good: UnknownEventError, LogDamagedError, what the gate or `onCommit` threw. It never
   * skips a valid message: a replica that cannot read the log must not go on answering from it.
   */
  readonly onFatal: (error: unknown) => void;
  readonly lostTailGraceMs?: number;
}

interface Waiter {
  readonly sequence: number;
  settle(error?: DomainError): void;
}

/**
 * Follows the log and hands each commit to a callback. `OrderedConsumer` describes how it survives failures.
 *
 * **Positions.** `appliedSequence` is the sequence of the last commit handed over. `waitFor(n)` is about the whole log:
 * it settles once everything up to `n` *that concerns this reader* has been handed over. A reader's filter may drop the
 * commit at `n`. So a reader with a filter asks the log for the last sequence that matches, and waits for the smaller
 * of the two. `n` must already be in the log (it came from an append, or from a process that has read it).
 */
export class LogReader {
  private readonly consumer: OrderedConsumer;
  private readonly lastSequence: SharedQuestion<number>;
  private waiters: Waiter[] = [];
  private applied: number;
  private fatal: DomainError | undefined;

  constructor(
    link: NatsLink,
    names: Names,
    codec: EventCodec,
    private readonly store: EventStore,
    private readonly options: LogReaderOptions,
  ) {
    const { gate = openGate(codec) } = options;
    this.applied = options.startSequence - 1;
    this.lastSequence = new SharedQuestion(() => this.store.lastSequence(options.filter));
    this.consumer = new OrderedConsumer(link, {
      stream: names.eventStream,
      startSequence: options.startSequence,
      filterSubject: options.filter === undefined ? undefined : names.eventFilter(options.filter),
      lostTailGraceMs: options.lostTailGraceMs,
      onMessage: ({ data, subject, sequence, recordedAtMs }) => {
        const judged = gate.admit({ sequence, boundary: names.boundaryOf(subject), data, recordedAtMs });
        if ('commit' in judged) options.onCommit(judged.commit, recordedAtMs);
        else options.onVoid?.(judged.void);
        this.applied = sequence;
        if (this.waiters.length > 0) this.release();
      },
      onFatal: (error) => {
        this.end(
          new DomainError('Unavailable', 'reader-stopped', 'the log cannot be read any further', { cause: error }),
        );
        options.onFatal(error);
      },
    });
  }

  start(): void {
    this.consumer.start();
  }

  stop(): void {
    this.consumer.stop();
    this.end(new DomainError('Unavailable', 'reader-stopped', 'this process has stopped reading the log'));
  }

  get appliedSequence(): number {
    return this.applied;
  }

  /** @throws DomainError Unavailable: `not-caught-up` after the timeout, `reader-stopped`, `nats-unreachable`. */
  async waitFor(sequence: number, timeoutMs: number): Promise<void> {
    if (this.applied >= sequence) return;
    if (this.options.filter === undefined) return this.waitUntilApplied(sequence, timeoutMs);
    const deadline = performance.now() + timeoutMs;
    const last = await this.lastSequence.ask();
    await this.waitUntilApplied(Math.min(sequence, last), deadline - performance.now());
  }

  /**
   * Waits until everything that was in the log at the call, as far as it concerns this reader, has been handed over.
   * Concurrent callers share a question, but never get an answer to one asked before their call.
   *
   * @returns the sequence that was waited for.
   * @throws DomainError Unavailable as `waitFor`.
   */
  async caughtUp(timeoutMs = 5_000): Promise<number> {
    const deadline = performance.now() + timeoutMs;
    const last = await this.lastSequence.ask();
    await this.waitUntilApplied(last, deadline - performance.now());
    return last;
  }

  private waitUntilApplied(sequence: number, timeoutMs: number): Promise<void> {
    if (this.applied >= sequence) return Promise.resolve();
    if (this.fatal !== undefined) return Promise.reject(this.fatal);
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        sequence,
        settle: (error) => {
          clearTimeout(timer);
          if (error) reject(error);
          else resolve();
        },
      };
      const timer = setTimeout(
        () => {
          this.waiters = this.waiters.filter((one) => one !== waiter);
          const text = `this replica has applied the log up to ${this.applied} and not yet to ${sequence}`;
          reject(new DomainError('Unavailable', 'not-caught-up', text));
        },
        Math.max(0, timeoutMs),
      );
      this.waiters.push(waiter);
    });
  }

  private release(): void {
    const done = this.waiters.filter((waiter) => waiter.sequence <= this.applied);
    if (done.length === 0) return;
    this.waiters = this.waiters.filter((waiter) => waiter.sequence > this.applied);
    for (const waiter of done) waiter.settle();
  }

  private end(error: DomainError): void {
    this.fatal ??= error;
    for (const waiter of this.waiters.splice(0)) waiter.settle(this.fatal);
  }
}
