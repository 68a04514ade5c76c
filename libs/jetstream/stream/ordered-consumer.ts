import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { AckPolicy, DeliverPolicy, nanos } from 'nats';
import { DomainError } from '#kernel';
import { type NatsLink } from '../link/connection.js';
import { LogDamagedError, messageOf } from '../link/errors.js';
import { LeaderSearch } from './leader-search.js';
import { type Delivered, PullSubscription } from './pull-subscription.js';
import { QuietReader } from './quiet-reader.js';
import { storedMessage } from './stored-message.js';
import { StreamContinuity } from './stream-continuity.js';

export interface OrderedConsumerOptions {
  readonly stream: string;
  readonly startSequence: number;
  /** Undefined: the whole stream. Then every sequence must come, and a gap is fatal. */
  readonly filterSubject?: string;
  /** Must not throw. */
  readonly onMessage: (message: Delivered) => void;
  /** Called once; the consumer has stopped. LogDamagedError, or an error of the caller's callback. */
  readonly onFatal: (error: unknown) => void;
  /** How many messages may be under way. Default 1000. */
  readonly batch?: number;
  /** How long a server may take to recover a stream that ends before what has been read. Default 10 s. */
  readonly lostTailGraceMs?: number;
}

/** Well below the 64 MB that a server lets a slow client fall behind before it cuts it off. */
const maxBytesUnderWay = 8 * 1024 * 1024;
/** Longest run of callbacks before the event loop gets its turn. */
const sliceMs = 10;
const retryMs = 150;
/** Pause before the next look for a message that was not there. */
const bridgePauseMs = 50;
/**
 * For the first attempt. Later ones get twice as long, since a filter makes the server scan the stream. Short at first,
 * so that a leader that was just elected is asked soon, not after a question to the lost one.
 */
const createTimeoutMs = 1_000;

/**
 * Reads every message of a stream from a sequence on, in order, each exactly once. It survives reconnects, server
 * restarts and the loss of the consumer. It uses an ephemeral consumer in the server's memory. Whenever anything looks
 * wrong, it throws the consumer away and creates a new one behind the last message seen. Messages flow again within
 * about 1.5 s after NATS has recovered.
 *
 * Callbacks are synchronous, one at a time; between slices of them the event loop goes on. It asks the server only for
 * as many messages as have left the queue, so memory is bounded.
 */
export class OrderedConsumer {
  private next: number;
  private pull: PullSubscription | undefined;
  private consumerName = '';
  private deliverySequence = 0;
  private queue: Delivered[] = [];
  private draining = false;
  private paused = false;
  private stopped = false;
  private connecting = false;
  /** Counts attempts to create the consumer: a late answer to an abandoned one is ignored. */
  private attempt = 0;
  private readonly batch: number;
  private readonly continuity: StreamContinuity;
  private readonly leaderSearch: LeaderSearch;
  private readonly quiet: QuietReader;

  constructor(
    private readonly link: NatsLink,
    private readonly options: OrderedConsumerOptions,
  ) {
    this.next = options.startSequence;
    this.batch = options.batch ?? 1_000;
    this.continuity = new StreamContinuity(link, options);
    this.leaderSearch = new LeaderSearch(link, options.stream);
    this.quiet = new QuietReader(link, {
      stream: options.stream,
      // While a consumer is being created, that alone tells whether the leader is within reach.
      lastSequence: () => (this.paused || this.connecting ? undefined : this.nextToQueue - 1),
      leaderSearch: this.leaderSearch,
    });
  }

  /** Starts and returns at once. A broken connection is no error here. */
  start(): void {
    this.quiet.start();
    void this.reconnect('start');
  }

  /** The lowest sequence that may come next. */
  get nextSequence(): number {
    return this.next;
  }

  /** Stops callbacks until `resume`. Messages under way are kept, at most one batch. */
  pause(): void {
    this.paused = true;
  }

  resume(): void {
    if (!this.paused) return;
    this.paused = false;
    this.scheduleDrain();
  }

  stop(): void {
    if (this.stopped) return;
    this.stopped = true;
    this.quiet.stop();
    this.queue = [];
    this.dropConsumer();
  }

  private fail(error: unknown): void {
    if (this.stopped) return;
    this.stop();
    this.options.onFatal(error);
  }

  private dropConsumer(): void {
    this.pull?.close();
    this.pull = undefined;
    if (this.consumerName === '' || !this.link.connected) return;
    const name = this.consumerName;
    this.consumerName = '';
    // Only to be tidy: the server removes an idle consumer by itself after a while.
    this.link.jsm.consumers.delete(this.options.stream, name).catch(() => undefined);
  }

  private async reconnect(reason: string): Promise<void> {
    if (this.connecting || this.stopped) return;
    this.connecting = true;
    if (reason !== 'start')
      this.link.log('info', `reading ${this.options.stream} with a new consumer`, { reason, from: this.next });
    this.dropConsumer();
    let lastError = '';
    let creations = 0;
    while (!this.isStopped()) {
      try {
        if (!(await this.link.whenConnected(performance.now() + 60_000))) {
          if (this.link.closed) this.fail(new DomainError('Unavailable', 'nats-closed', 'the connection was closed'));
          continue;
        }
        const from = this.nextToQueue;
        await this.link.abortable(() => this.continuity.check(from));
        await this.createBridged(from, createTimeoutMs * Math.min(2, ++creations));
        this.leaderSearch.answered();
        break;
      } catch (error) {
        if (error instanceof LogDamagedError) {
          this.fail(error);
          return;
        }
        this.leaderSearch.failed();
        if (messageOf(error) !== lastError) {
          lastError = messageOf(error);
          this.link.log('info', `cannot read ${this.options.stream} yet`, { reason: lastError });
        }
        await new Promise((again) => setTimeout(again, retryMs));
      }
    }
    this.connecting = false;
  }

  /** `stopped` may change during any await, which the compiler's narrowing does not see. */
  private isStopped(): boolean {
    return this.stopped;
  }

  /**
   * All consumers are created by one leader of their own. Its election can end seconds after that of the stream's
   * leader. Until then messages are read one by one.
   */
  private async createBridged(from: number, timeoutMs: number): Promise<void> {
    const bridging = new AbortController();
    void this.bridge(bridging.signal);
    try {
      await this.link.abortable(() => this.create(from), timeoutMs);
    } finally {
      bridging.abort();
    }
  }

  private async bridge(over: AbortSignal): Promise<void> {
    const { stream, filterSubject } = this.options;
    await delay(retryMs);
    while (!over.aborted && !this.stopped) {
      const hasRoom = !this.paused && this.queue.length < this.batch;
      // Ignore errors here: the attempt to create the consumer reports them.
      const read = () => storedMessage(this.link, stream, this.nextToQueue, filterSubject).catch(() => undefined);
      const message = hasRoom ? await read() : undefined;
      if (message === undefined) await delay(bridgePauseMs);
      else if (!over.aborted && !this.isStopped()) this.enqueue(message);
    }
  }

  private async create(from: number): Promise<void> {
    const { stream, filterSubject } = this.options;
    const attempt = ++this.attempt;
    const name = `r-${randomUUID()}`;
    await this.link.jsm.consumers.add(stream, {
      name,
      ack_policy: AckPolicy.None,
      deliver_policy: DeliverPolicy.StartSequence,
      opt_start_seq: from,
      mem_storage: true,
      num_replicas: 1,
      max_deliver: 1,
      inactive_threshold: nanos(30_000),
      ...(filterSubject === undefined ? {} : { filter_subject: filterSubject }),
    });
    if (this.stopped || attempt !== this.attempt) return;
    this.consumerName = name;
    this.deliverySequence = 0;
    this.pull = new PullSubscription(this.link, {
      stream,
      consumer: name,
      onMessage: (message) => this.receive(message),
      onReleased: () => this.ask(),
      onLost: (why) => void this.reconnect(why),
    });
    this.ask();
  }

  private ask(): void {
    if (!this.pull || this.paused) return;
    const under = this.pull.outstanding + this.queue.length;
    if (under > this.batch / 2) return;
    this.pull.request(this.batch - under, Math.max(maxBytesUnderWay, 2 * this.link.maxPayloadBytes));
  }

  private receive(message: Delivered): void {
    if (message.deliverySequence !== this.deliverySequence + 1) {
      void this.reconnect(`delivery ${message.deliverySequence} after ${this.deliverySequence}`);
      return;
    }
    this.deliverySequence = message.deliverySequence;
    this.enqueue(message);
  }

  private enqueue(message: Delivered): void {
    // The consumer delivers again what was read one by one while it was being created.
    if (message.sequence >= this.nextToQueue) {
      this.queue.push(message);
      this.continuity.note(message);
    }
    this.scheduleDrain();
  }

  /** Queued messages were delivered in order, so they stay: a new consumer starts behind them. */
  private get nextToQueue(): number {
    return (this.queue.at(-1)?.sequence ?? this.next - 1) + 1;
  }

  private scheduleDrain(): void {
    if (this.draining) return;
    this.draining = true;
    setImmediate(() => this.drain());
  }

  private drain(): void {
    const until = performance.now() + sliceMs;
    let taken = 0;
    const queue = this.queue;
    while (taken < queue.length && !this.paused && !this.stopped && performance.now() < until) {
      if (!this.take(queue[taken++])) return;
    }
    this.draining = false;
    if (this.stopped) return;
    this.queue = queue.slice(taken);
    this.ask();
    if (this.queue.length > 0 && !this.paused) this.scheduleDrain();
  }

  private take(message: Delivered): boolean {
    if (this.options.filterSubject === undefined && message.sequence !== this.next) {
      const text = `stream ${this.options.stream} has ${message.sequence} where ${this.next} should be`;
      this.fail(new LogDamagedError('log-gap', text));
      return false;
    }
    this.next = message.sequence + 1;
    try {
      this.options.onMessage(message);
      return true;
    } catch (error) {
      this.fail(error);
      return false;
    }
  }
}
