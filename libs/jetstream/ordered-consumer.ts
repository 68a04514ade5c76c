import { randomUUID } from 'node:crypto';
import { AckPolicy, DeliverPolicy, type StreamInfo, nanos } from 'nats';
import { DomainError } from '#kernel';
import { type NatsLink } from './connection.js';
import { LogDamagedError, messageOf } from './errors.js';
import { type Delivered, PullSubscription } from './pull-subscription.js';
import { infoOfLeader } from './stream-info.js';

export interface OrderedConsumerOptions {
  readonly stream: string;
  readonly startSequence: number;
  /** None: the whole stream, and then every sequence must come: a gap is fatal. */
  readonly filterSubject?: string;
  /** Must not throw. */
  readonly onMessage: (message: Delivered) => void;
  /** Called once; the consumer has stopped. LogDamagedError, or an error of the caller's callback. */
  readonly onFatal: (error: unknown) => void;
  /** How many messages may be under way. Default 1000. */
  readonly batch?: number;
  /** How long a stream that ends before what has been read is taken for one that is still recovering. Default 10 s. */
  readonly lostTailGraceMs?: number;
}

/** Well below the 64 MB that a server lets a slow client fall behind before it cuts it off. */
const maxBytesUnderWay = 8 * 1024 * 1024;
/** Longest stretch of callbacks before the event loop gets its turn. */
const sliceMs = 10;
const retryMs = 150;

/**
 * Every message of a stream from a sequence on, in order, each exactly once, for as long as it runs: across
 * reconnects, server restarts and the loss of the consumer. It is an ephemeral consumer in the server's memory, thrown
 * away and created again behind the last message seen whenever anything looks wrong; within about 1.5 s of NATS being
 * well again, messages flow.
 *
 * Callbacks are synchronous, one at a time; between slices of them the event loop goes on. Nothing is asked of the
 * server beyond what has been taken off the queue, so memory is bounded.
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
  private streamCreated: string | undefined;
  private tailMissingSince: number | undefined;
  /** Counts attempts to create the consumer: a late answer to an abandoned one is ignored. */
  private attempt = 0;
  private readonly batch: number;

  constructor(
    private readonly link: NatsLink,
    private readonly options: OrderedConsumerOptions,
  ) {
    this.next = options.startSequence;
    this.batch = options.batch ?? 1_000;
  }

  /** Goes on in the background; connection trouble is no error here. */
  start(): void {
    void this.reconnect('start');
  }

  /** Lowest sequence that may come next. */
  get nextSequence(): number {
    return this.next;
  }

  /** No callbacks until `resume`. What is under way is kept, at most one batch. */
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
    // Tidiness only: the server removes an idle one by itself after a while.
    this.link.jsm.consumers.delete(this.options.stream, name).catch(() => undefined);
  }

  private async reconnect(reason: string): Promise<void> {
    if (this.connecting || this.stopped) return;
    this.connecting = true;
    if (reason !== 'start') this.link.log('info', `reading ${this.options.stream} anew`, { reason, from: this.next });
    this.dropConsumer();
    // What is queued has been delivered, in order: it stays, and the new consumer starts behind it.
    const from = (this.queue.at(-1)?.sequence ?? this.next - 1) + 1;
    let lastError = '';
    while (!this.isStopped()) {
      try {
        if (!(await this.link.whenConnected(performance.now() + 60_000))) {
          if (this.link.closed) this.fail(new DomainError('Unavailable', 'nats-closed', 'the connection was closed'));
          continue;
        }
        await this.link.abortable(() => this.create(from));
        break;
      } catch (error) {
        if (error instanceof LogDamagedError) {
          this.fail(error);
          return;
        }
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

  private async create(from: number): Promise<void> {
    const { stream, filterSubject } = this.options;
    this.checkStream(await infoOfLeader(this.link, stream), from);
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

  /**
   * A stream that ends before what has already been read has lost its end. That is given some time, because a server
   * that has just taken over may still be catching up; then it is fatal: reading on would skip whatever takes the place
   * of what was lost.
   */
  private checkStream(info: StreamInfo, from: number): void {
    const { first_seq: first, last_seq: last } = info.state;
    const stream = this.options.stream;
    this.streamCreated ??= info.created;
    if (info.created !== this.streamCreated) {
      throw new LogDamagedError('log-replaced', `stream ${stream} is not the one that was there before`);
    }
    if (last < from - 1) {
      this.tailMissingSince ??= performance.now();
      const text = `stream ${stream} ends at ${last}, but ${from - 1} has already been read`;
      if (performance.now() - this.tailMissingSince > (this.options.lostTailGraceMs ?? 10_000)) {
        throw new LogDamagedError('log-lost-tail', text);
      }
      throw new Error(text);
    }
    this.tailMissingSince = undefined;
    if (this.options.filterSubject === undefined && first > from) {
      throw new LogDamagedError('log-gap', `stream ${stream} begins at ${first}, but ${from} has not been read yet`);
    }
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
    this.queue.push(message);
    this.scheduleDrain();
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
