import { within } from '#async';
import { AckPolicy, type ConsumerConfig, DeliverPolicy, nanos } from 'nats';
import { DomainError } from '#kernel';
import { type NatsLink } from '../link/connection.js';
import { apiCodeOf, messageOf } from '../link/errors.js';
import { type Delivered, PullSubscription } from '../stream/pull-subscription.js';
import { type Names } from '../names/streams.js';
import { WorkMessage } from './work-message.js';

export interface WorkConsumerRunOptions {
  /**
   * Approximate number of handlers at work at once, shared fairly between jobs. A job that has less than its share (at
   * least one) starts at once even when all are at work, because the handlers of other jobs may take long. A handler
   * that has called `ack()` or `retryLater()` no longer counts.
   */
  readonly maxConcurrent: number;
  /**
   * How many more messages are held ready, so that handlers have work while NATS elects a leader (4 to 9 s). Default:
   * twice `maxConcurrent`.
   */
  readonly prefetch?: number;
  /**
   * Does the work, and ends with `ack()` or `retryLater()`. If it calls neither, the message comes again after ten
   * seconds; if it throws, after one. The same message may come again at any time, so handling it twice must do no
   * harm.
   */
  readonly handle: (message: WorkMessage) => Promise<void>;
}

/** A message is delivered again after so long without a sign of life from its handler. */
const defaultAckWaitMs = 10_000;
const afterErrorMs = 1_000;
const retryMs = 150;
/**
 * When no handler has ended for so long, more messages are pulled, because work of other jobs may stand behind those
 * that are held. At `maxHeld` messages, part of the job that has most of them is given back for a while.
 */
const stuckMs = 200;
const maxHeld = 1_024;
const putBackMs = 5_000;
/** Short: a newly elected leader should be asked soon, not only after a question to the lost one. */
const ensureTimeoutMs = 1_000;

/** The worker's side of the work stream: it has a durable consumer and runs a limited number of handlers at once. */
export class WorkConsumer {
  private readonly stream: string;
  private readonly consumer: string;
  private pull: PullSubscription | undefined;
  private options: Required<WorkConsumerRunOptions> | undefined;
  /** Messages delivered and not finished, by sequence, including those in `ready`. */
  private readonly held = new Map<number, WorkMessage>();
  private ready: WorkMessage[] = [];
  private readonly running = new Set<Promise<void>>();
  /** Messages whose handlers have not reported the end yet: they take the slots. */
  private readonly working = new Set<WorkMessage>();
  private keepAlive: NodeJS.Timeout | undefined;
  private stuckTimer: NodeJS.Timeout | undefined;
  /** Creation time of the stream that the held messages came from. */
  private streamCreated: string | undefined;
  /** Whether a handler has ended since the last look. */
  private moved = false;
  private connecting = false;
  private ensured = false;
  private stopping = false;

  constructor(
    private readonly link: NatsLink,
    private readonly names: Names,
    private readonly workerId: string,
    private readonly ackWaitMs = defaultAckWaitMs,
  ) {
    this.stream = names.workStream;
    this.consumer = names.workerConsumer(workerId);
  }

  /** Starts, and goes on in the background across reconnects until `stop()`. */
  run(options: WorkConsumerRunOptions): void {
    if (this.options) throw new DomainError('Bug', 'already-running', 'a work consumer runs once');
    this.options = { prefetch: options.maxConcurrent * 2, ...options };
    this.keepAlive = setInterval(() => this.held.forEach((message) => message.working()), this.ackWaitMs * 0.3);
    void this.reconnect('start');
  }

  /** How many handlers have not returned yet. */
  get activeCount(): number {
    return this.running.size;
  }

  /** Sequences in the work stream of messages that were delivered here and are not finished. */
  get heldPlaces(): number[] {
    return [...this.held.keys()];
  }

  /**
   * Takes no more messages and gives back those that no handler has started. `drain` waits for the handlers (at most
   * `timeoutMs`, default 10 s). For handlers that have not ended by then, or are not waited for, it aborts the `signal`
   * and gives the message back. It does not wait for aborted handlers.
   */
  async stop(options: { drain: boolean; timeoutMs?: number }): Promise<void> {
    if (this.stopping) return;
    this.stopping = true;
    clearTimeout(this.stuckTimer);
    this.pull?.close();
    for (const message of this.ready.splice(0)) this.giveBack(message);
    if (options.drain && this.running.size > 0) {
      await within(Promise.allSettled(this.running), options.timeoutMs ?? 10_000);
    }
    clearInterval(this.keepAlive);
    for (const message of [...this.held.values()]) {
      message.abort();
      this.giveBack(message);
    }
    if (this.link.connected) await this.link.nc.flush();
  }

  private giveBack(message: WorkMessage, delayMs = 0): void {
    this.held.delete(message.sequence);
    message.retryLater(delayMs);
  }

  private async reconnect(reason: string): Promise<void> {
    if (this.connecting || this.stopping) return;
    this.connecting = true;
    if (reason !== 'start') this.link.log('info', `pulling work of ${this.workerId} again`, { reason });
    let lastError = '';
    while (!this.isStopping() && !this.link.closed) {
      try {
        if (!(await this.link.whenConnected(performance.now() + 60_000))) continue;
        await this.link.abortable(() => this.ensureConsumer(), ensureTimeoutMs);
        break;
      } catch (error) {
        // The consumer is durable, so it exists. Only the leader that creates consumers is missing, maybe for seconds.
        if (this.ensured && apiCodeOf(error) === undefined && this.link.connected) break;
        if (messageOf(error) !== lastError) {
          lastError = messageOf(error);
          this.link.log('warn', `cannot pull work of ${this.workerId} yet`, { reason: lastError });
        }
        await new Promise((again) => setTimeout(again, retryMs));
      }
    }
    this.connecting = false;
    if (this.stopping || this.link.closed) return;
    this.pull = new PullSubscription(this.link, {
      stream: this.stream,
      consumer: this.consumer,
      onMessage: (message) => this.receive(message),
      onReleased: () => this.ask(),
      onLost: (why) => void this.reconnect(why),
    });
    this.ask();
  }

  /** `stopping` may change during any await, which the compiler's narrowing does not see. */
  private isStopping(): boolean {
    return this.stopping;
  }

  /** Creating a consumer again with the same configuration answers with the existing one. */
  private async ensureConsumer(): Promise<void> {
    const config: Partial<ConsumerConfig> = {
      durable_name: this.consumer,
      filter_subject: this.names.workOfWorker(this.workerId),
      ack_policy: AckPolicy.Explicit,
      deliver_policy: DeliverPolicy.All,
      ack_wait: nanos(this.ackWaitMs),
      max_deliver: -1,
      max_ack_pending: 10_000,
    };
    await this.link.jsm.consumers.add(this.stream, config);
    const { created } = await this.link.jsm.streams.info(this.stream);
    if (this.streamCreated !== undefined && this.streamCreated !== created) this.abandonHeld();
    this.streamCreated = created;
    this.ensured = true;
  }

  /**
   * The stream is a new one under the same name. It uses the sequences again, so an acknowledgement of an old message
   * would count for a new one.
   */
  private abandonHeld(): void {
    for (const message of this.held.values()) message.abandon();
    this.held.clear();
    this.ready = [];
  }

  private ask(): void {
    if (!this.pull || !this.options || this.stopping) return;
    const wanted = this.options.maxConcurrent + this.options.prefetch;
    // A server that has crashed may not remember what it delivered before. It then answers no acknowledgement until it
    // has delivered again. So messages of an earlier subscription are not counted, up to a limit.
    let current = 0;
    for (const message of this.held.values()) if (message.subscription === this.pull) current++;
    const room = Math.min(wanted - current, 3 * wanted - this.held.size);
    this.pull.request(room - this.pull.outstanding);
  }

  /** No message is requested, and no handler has ended for a while: work of other jobs must not wait for that. */
  private reachFurther(): void {
    const hasMoved = this.moved;
    this.moved = false;
    if (hasMoved || this.ready.length === 0 || !this.pull || this.pull.outstanding > 0) return;
    if (this.held.size >= maxHeld) this.putBack();
    else this.pull.request(Math.min(Math.max(this.held.size, 1), maxHeld - this.held.size));
  }

  /**
   * Gives back half of the ready messages of the job that has most. They come again, behind those not yet delivered.
   */
  private putBack(): void {
    const waiting = countByJob(this.ready);
    const [[most]] = [...waiting].sort(([, one], [, other]) => other - one);
    const ofMost = this.ready.filter(({ jobId }) => jobId === most);
    const back = new Set(ofMost.slice(Math.floor(ofMost.length / 2)));
    this.ready = this.ready.filter((message) => !back.has(message));
    for (const message of back) this.giveBack(message, putBackMs);
    this.pull?.request(back.size);
  }

  private receive(delivered: Delivered): void {
    if (this.stopping) return;
    const known = this.held.get(delivered.sequence);
    if (known) {
      // It was not acknowledged in time, for example while NATS was away. It still has one handler, which must
      // acknowledge the newest delivery.
      known.redelivered(delivered, this.pull);
      this.ask();
      return;
    }
    const message: WorkMessage = new WorkMessage(this.link, delivered, this.pull, () => this.release(message));
    this.held.set(message.sequence, message);
    this.ready.push(message);
    this.fill();
    this.watchReady();
  }

  /** Runs only while messages wait for a handler: an idle process should sleep. */
  private watchReady(): void {
    if (this.stuckTimer !== undefined || this.ready.length === 0 || this.stopping) return;
    this.stuckTimer = setTimeout(() => {
      this.stuckTimer = undefined;
      this.reachFurther();
      this.watchReady();
    }, stuckMs);
  }

  private fill(): void {
    while (!this.stopping) {
      const message = this.next();
      if (!message) return;
      this.ready.splice(this.ready.indexOf(message), 1);
      this.working.add(message);
      const run: Promise<void> = this.handle(message).finally(() => {
        this.running.delete(run);
        this.release(message);
      });
      this.running.add(run);
    }
  }

  /** The first message of the job with the fewest at work, if there is room or the job has less than its share. */
  private next(): WorkMessage | undefined {
    const { maxConcurrent } = this.options!;
    const working = countByJob(this.working);
    const jobs = new Set([...working.keys(), ...this.ready.map(({ jobId }) => jobId)]);
    const share = Math.max(1, Math.floor(maxConcurrent / jobs.size));
    const atWork = ({ jobId }: WorkMessage): number => working.get(jobId) ?? 0;
    let next: WorkMessage | undefined;
    for (const message of this.ready) if (!next || atWork(message) < atWork(next)) next = message;
    return next && (this.working.size < maxConcurrent || atWork(next) < share) ? next : undefined;
  }

  private release(message: WorkMessage): void {
    this.moved = true;
    this.working.delete(message);
    this.fill();
    this.ask();
  }

  private async handle(message: WorkMessage): Promise<void> {
    try {
      await this.options!.handle(message);
    } catch (error) {
      if (message.signal.aborted) return;
      this.link.log('error', `work of job ${message.jobId} failed in its handler`, {
        sequence: message.sequence,
        deliveries: message.deliveries,
        reason: messageOf(error),
      });
      message.retryLater(afterErrorMs);
    } finally {
      if (this.held.get(message.sequence) === message) this.held.delete(message.sequence);
    }
  }
}

function countByJob(messages: Iterable<WorkMessage>): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { jobId } of messages) counts.set(jobId, (counts.get(jobId) ?? 0) + 1);
  return counts;
}
