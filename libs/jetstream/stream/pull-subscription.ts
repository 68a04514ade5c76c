import { type Msg, type MsgHdrs, type Subscription, nanos } from 'nats';
import { type NatsLink } from '../link/connection.js';
import { newInbox } from '../link/inbox.js';

/** A message as a pull consumer delivers it. */
export interface Delivered {
  readonly subject: string;
  readonly data: Uint8Array;
  /** Sequence in the stream. */
  readonly sequence: number;
  /** How many messages this consumer has delivered, including this one. */
  readonly deliverySequence: number;
  /** How often this message has been delivered, including this time. */
  readonly deliveries: number;
  /** When the stream stored it, milliseconds since the epoch; see `recordedAtHeader`. */
  readonly recordedAtMs: number;
  /** Subject for acknowledgements. */
  readonly reply: string;
}

/**
 * Header of a message that was restored from a backup: when the original stream stored it, ISO 8601. Without the
 * header, the server's own time counts.
 */
export const recordedAtHeader = 'Larder-Recorded-At';

export interface PullOptions {
  readonly stream: string;
  readonly consumer: string;
  readonly onMessage: (message: Delivered) => void;
  /** Some of the requested messages will not come any more (expired, byte limit): the caller may ask again. */
  readonly onReleased: () => void;
  /** Called once: the consumer is no longer reliable. No message is delivered afterwards. */
  readonly onLost: (reason: string) => void;
}

/** While a request is open, a message or a heartbeat must come at least this often. */
const silenceLimitMs = 1_200;
const idleHeartbeatMs = 400;
const expiresMs = 30_000;
/** How long messages may still arrive after their request has expired. */
const expiryGraceMs = 5_000;
/**
 * When the consumer is in another account than its reader (`roles.ts`), a server keeps about a kilobyte for each
 * request as long as a subscription to its inbox exists.
 */
const requestsPerInbox = 1_000;

/**
 * One subscription to one pull consumer, without the client library's wrappers: those recover only 4 to 20 seconds
 * after the loss of a server, and cost half the throughput. It counts the messages that were requested and not yet
 * delivered. While a request is open, the server sends heartbeats; so it notices within 1.5 s that nothing comes any
 * more.
 *
 * Statuses follow the server's pull protocol (NATS ADR-37): 100 heartbeat, 404 and 408 the request ended, 409 it ended
 * or the consumer is gone, 503 no responder for this consumer.
 */
export class PullSubscription {
  private inbox = '';
  private readonly subscriptions = new Set<Subscription>();
  private requestsHere = 0;
  private watchdog: NodeJS.Timeout | undefined;
  private readonly offStatus: () => void;
  private lastHeardMs = performance.now();
  private asked = 0;
  private closed = false;

  constructor(
    private readonly link: NatsLink,
    private readonly options: PullOptions,
  ) {
    this.openInbox();
    this.offStatus = link.onStatus((status) => this.lose(status));
  }

  /** How many messages may still come without another request. */
  get outstanding(): number {
    return this.asked;
  }

  request(count: number, maxBytes?: number): void {
    if (this.closed || count <= 0) return;
    if (++this.requestsHere > requestsPerInbox) this.openInbox();
    if (this.asked === 0) this.lastHeardMs = performance.now();
    this.asked += count;
    this.watchdog ??= setTimeout(() => this.watch(), silenceLimitMs);
    const { stream, consumer } = this.options;
    const request = {
      batch: count,
      expires: nanos(expiresMs),
      idle_heartbeat: nanos(idleHeartbeatMs),
      ...(maxBytes === undefined ? {} : { max_bytes: maxBytes }),
    };
    this.link.nc.publish(`$JS.API.CONSUMER.MSG.NEXT.${stream}.${consumer}`, JSON.stringify(request), {
      reply: this.inbox,
    });
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    clearTimeout(this.watchdog);
    this.offStatus();
    for (const subscription of this.subscriptions) this.end(subscription);
  }

  /** Answers to earlier requests still come into the former inbox, until those requests have expired. */
  private openInbox(): void {
    const former = [...this.subscriptions].at(-1);
    if (former) setTimeout(() => this.end(former), expiresMs + expiryGraceMs).unref();
    this.inbox = newInbox(this.link.nc);
    this.requestsHere = 1;
    const subscription = this.link.nc.subscribe(this.inbox, {
      callback: (error, message) => {
        if (error) this.lose(error.message);
        else this.receive(message);
      },
    });
    this.subscriptions.add(subscription);
  }

  private end(subscription: Subscription): void {
    this.subscriptions.delete(subscription);
    if (!subscription.isClosed()) subscription.unsubscribe();
  }

  /** Wakes only when the silence may have become too long, and not at all while nothing is asked for. */
  private watch(): void {
    this.watchdog = undefined;
    if (this.asked === 0) return;
    const leftMs = silenceLimitMs - (performance.now() - this.lastHeardMs);
    if (leftMs <= 0) this.lose('silent');
    else this.watchdog = setTimeout(() => this.watch(), Math.ceil(leftMs));
  }

  private lose(reason: string): void {
    if (this.closed) return;
    this.close();
    this.options.onLost(reason);
  }

  private receive(message: Msg): void {
    if (this.closed) return;
    this.lastHeardMs = performance.now();
    if (message.reply?.startsWith('$JS.ACK.')) {
      this.asked = Math.max(0, this.asked - 1);
      this.options.onMessage(delivered(message));
      return;
    }
    const code = message.headers?.code ?? 0;
    const description = message.headers?.description ?? '';
    if (code === 100) return;
    if (code === 503 || (code === 409 && /deleted|leadership|shutdown|push based/i.test(description))) {
      this.lose(`${code} ${description}`);
      return;
    }
    const released = Number(message.headers?.get('Nats-Pending-Messages'));
    this.asked = released > 0 ? Math.max(0, this.asked - released) : 0;
    this.options.onReleased();
  }
}

/**
 * Reads a message's place from its reply subject:
 * `$JS.ACK.<stream>.<consumer>.<deliveries>.<stream seq>.<delivery seq>.<time>.<pending>`. Some servers add
 * `<domain>.<account hash>` before the stream and a random token at the end.
 */
function delivered(message: Msg): Delivered {
  const tokens = message.reply!.split('.');
  const at = tokens.length > 9 ? 6 : 4;
  return {
    subject: message.subject,
    data: message.data,
    deliveries: Number(tokens[at]),
    sequence: Number(tokens[at + 1]),
    deliverySequence: Number(tokens[at + 2]),
    recordedAtMs: recordedAt(message) ?? Math.floor(Number(tokens[at + 3]) / 1e6),
    reply: message.reply!,
  };
}

/** The original time of a restored message; undefined for any other. */
export function recordedAt({ headers }: { headers?: MsgHdrs }): number | undefined {
  const header = headers?.get(recordedAtHeader);
  const parsed = header ? Date.parse(header) : NaN;
  return Number.isNaN(parsed) ? undefined : parsed;
}
