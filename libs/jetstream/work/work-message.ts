import { nanos } from 'nats';
import { type NatsLink } from '../link/connection.js';
import { type Delivered } from '../stream/pull-subscription.js';
import { RetryBudget } from '../link/retry-budget.js';

/** Payloads of acknowledgements (NATS ADR-15). */
const payload = { ack: '+ACK', working: '+WPI', nak: '-NAK' };

/**
 * Short: a server that has crashed answers only once it has delivered the message again, and repeating costs nothing.
 */
const ackTimeoutMs = 500;

/** One batch as delivered to a worker. */
export class WorkMessage {
  readonly bytes: Uint8Array;
  readonly jobId: string;
  /** Sequence in the work stream; the coordinator removes the message by it. */
  readonly sequence: number;
  private readonly aborter = new AbortController();
  private finished = false;

  constructor(
    private readonly link: NatsLink,
    private delivery: Delivered,
    /** For the consumer: which of its subscriptions made the last delivery. */
    public subscription: unknown,
    private readonly onFinished: () => void,
  ) {
    this.bytes = delivery.data;
    this.sequence = delivery.sequence;
    this.jobId = delivery.subject.slice(delivery.subject.lastIndexOf('.') + 1);
  }

  /**
   * How often it has been delivered, including this time. Only a hint: the count may be too low after a server's crash,
   * and on 2.9 after a stopping worker gave it back.
   */
  get deliveries(): number {
    return this.delivery.deliveries;
  }

  /** Aborted when the consumer stops without waiting for this handler. */
  get signal(): AbortSignal {
    return this.aborter.signal;
  }

  /** Reports that the work goes on: it gets ten more seconds. The consumer does so by itself every three. */
  working(): void {
    if (!this.finished) this.tell(payload.working);
  }

  /**
   * Ends redelivery; settles when the server has confirmed that.
   *
   * @throws DomainError Unavailable: the message may come again, although its work is done.
   */
  async ack(budgetMs = 15_000): Promise<void> {
    if (this.finished) return;
    this.finished = true;
    this.onFinished();
    const retry = new RetryBudget(this.link, budgetMs);
    while (await retry.next()) {
      try {
        await this.link.abortable(() =>
          this.link.nc.request(this.delivery.reply, payload.ack, { timeout: ackTimeoutMs }),
        );
        return;
      } catch (error) {
        retry.note(error);
      }
    }
    throw retry.exhausted();
  }

  /** Asks for another delivery after a delay. If NATS is away, it comes after at most ten seconds. */
  retryLater(delayMs: number): void {
    if (this.finished) return;
    this.finished = true;
    this.onFinished();
    this.tell(delayMs > 0 ? `${payload.nak} ${JSON.stringify({ delay: nanos(delayMs) })}` : payload.nak);
  }

  /** For the consumer: the same message has come again. */
  redelivered(delivery: Delivered, subscription: unknown): void {
    this.delivery = delivery;
    this.subscription = subscription;
  }

  /** For the consumer: nothing more is sent about this message. Its handler may end in any way. */
  abandon(): void {
    this.finished = true;
  }

  /** For the consumer. */
  abort(): void {
    this.aborter.abort();
  }

  /** Awaits no answer, and sends nothing while disconnected: the time limit for acknowledging covers both cases. */
  private tell(what: string): void {
    if (this.link.connected) this.link.nc.publish(this.delivery.reply, what);
  }
}
