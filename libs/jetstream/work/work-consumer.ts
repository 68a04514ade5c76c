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
   * About how many handlers work at once, shared out fairly by job. A job that has less than its share (one at least) goes
   * ahead at once, even when all are at work: those of another may be held up for long. A handler that has called `ack()`
   * or `retryLater()` does not count any more.
   */
  readonly maxConcurrent: number;
  /**
   * How many more messages are held ready, so that handlers have work while NATS elects a leader (4 to 9 s). Default:
   * twice `maxConcurrent`.
   */
  readonly prefetch?: number;
  /**
   * Does the work, and ends with `ack()` or `retryLater()`. If it ends with neither, the message comes again after ten
   * seconds; if it throws, after one. The same message may come again at any time, so doing it twice must do no harm.
   */
  readonly handle: (message: WorkMessage) => Promise<void>;
}

/** After so long without a sign of life a message is delivered again. */
const defaultAckWaitMs = 10_000;
const afterErrorMs = 1_000;
const retryMs = 150;
/**
 * With all that was pulled held up for so long, more is pulled: work of other jobs may stand behind it. Up to so many in
 * all; then what one job has most of is given back for a while.
 */
const stuckMs = 200;
const maxHeld = 1_024;
const putBackMs = 5_000;
/** A leader that has just been elected is to be asked soon, not after a question to the lost one. */
const ensureTimeoutMs = 1_000;

/** The worker's side of the work stream: a durable consumer of its own, and as many handlers at work as wanted. */
export class WorkConsumer {
  private readonly stream: string;
  private readonly consumer: string;
  private pull: PullSubscription | undefined;
  private options: Required<WorkConsumerRunOptions> | undefined;
  /** Delivered and not finished, by sequence; those in `ready` included. */
  private readonly held = new Map<number, WorkMessage>();
  private ready: WorkMessage[] = [];
  private readonly running = new Set<Promise<void>>();
  /** Those whose handlers have not said yet how it ended: they take the slots. */
  private readonly working = new Set<WorkMessage>();
  private keepAlive: NodeJS.Timeout | undefined;
  private stuckTimer: NodeJS.Timeout | undefined;
  /** When the stream was made that the held messages came from. */
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
    this.keepAlive = setInterval(() => {
      for (const message of this.held.values()) message.working();
    }, this.ackWaitMs * 0.3);
    this.stuckTimer = setInterval(() => this.reachFurther(), stuckMs);
    void this.reconnect('start');
  }

  /** Handlers that have not returned yet. */
  get activeCount(): number {
    return this.running.size;
  }

  /** Places in the work stream of what was delivered here and is not finished. */
  get heldPlaces(): number[] {
    return [...this.held.keys()];
  }

  /**
   * Takes no more messages and gives back those that were only held ready. `drain` waits for the handlers (at most
   * `timeoutMs`, default 10 s); what has not ended then, or was not waited for, has its `signal` aborted and its message
   * given back. Does not wait for aborted handlers.
   */
  async stop(options: { drain: boolean; timeoutMs?: number }): Promise<void> {
    if (this.stopping) return;
    this.stopping = true;
    clearInterval(this.stuckTimer);
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
    if (reason !== 'start') this.link.log('info', `pulling work of ${this.workerId} anew`, { reason });
    let lastError = '';
    while (!this.isStopping() && !this.link.closed) {
      try {
        if (!(await this.link.whenConnected(performance.now() + 60_000))) continue;
        await this.link.abortable(() => this.ensureConsumer(), ensureTimeoutMs);
        break;
      } catch (error) {
        // It is there, since it was made for good; only whoever makes consumers is not, and may come seconds later.
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

  /** Creating it again with the same configuration is how one asks for it: the server then answers with what is there. */
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
   * The stream is another one under the same name: its places are given away anew, and an acknowledgement of what came
   * before would be taken for one of what stands there now.
   */
  private abandonHeld(): void {
    for (const message of this.held.values()) message.abandon();
    this.held.clear();
    this.ready = [];
  }

  private ask(): void {
    if (!this.pull || !this.options || this.stopping) return;
    const wanted = this.options.maxConcurrent + this.options.prefetch;
    // A server that has crashed may not remember what it delivered before, and then answers no acknowledgement until it
    // has delivered again. So what was delivered to an earlier subscription is not counted, within reason.
    let current = 0;
    for (const message of this.held.values()) if (message.subscription === this.pull) current++;
    const room = Math.min(wanted - current, 3 * wanted - this.held.size);
    this.pull.request(room - this.pull.outstanding);
  }

  /** Nothing more is asked for, and nothing has ended for a while: what other jobs have queued must not wait for that. */
  private reachFurther(): void {
    const hasMoved = this.moved;
    this.moved = false;
    if (hasMoved || this.ready.length === 0 || !this.pull || this.pull.outstanding > 0) return;
    if (this.held.size >= maxHeld) this.putBack();
    else this.pull.request(Math.min(Math.max(this.held.size, 1), maxHeld - this.held.size));
  }

  /** Half of what is held ready of the job that has most. It comes again, behind what has not come yet. */
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
      // It was not acknowledged in time, for example while NATS was away: still one handler, and the newest delivery
      // is the one to acknowledge.
      known.redelivered(delivered, this.pull);
      this.ask();
      return;
    }
    const message: WorkMessage = new WorkMessage(this.link, delivered, this.pull, () => this.release(message));
    this.held.set(message.sequence, message);
    this.ready.push(message);
    this.fill();
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

  /** The first message of the job that has fewest at work, if there is room or that is less than the job's share. */
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
