import { Readable } from 'node:stream';
import { type AuditEvent } from '../index.js';

/** Commits, each with those of its events that the client asked for. */
export type EventSource = (signal: AbortSignal) => AsyncIterable<{ sequence: number; events: readonly AuditEvent[] }>;

export interface StreamPace {
  /** How often a comment is sent while there are no events. */
  readonly heartbeatMs: number;
  /** A client that reads nothing for this time is disconnected. */
  readonly stallMs: number;
}

/** How much is buffered for a slow client. Beyond this, its reader of the log pauses. */
const bufferBytes = 64 * 1024;

/**
 * One client's Server-Sent Events (https://html.spec.whatwg.org/multipage/server-sent-events.html). Ids are cursors: a
 * client sends one back as `Last-Event-ID`, to any coordinator, and the stream continues after that event. A heartbeat
 * carries the id of the last commit read, so that with a filter that rarely matches no commit is read twice.
 *
 * Each stream has its own reader of the log, although the views read the same log. A client may begin in the past. And
 * a slow client must slow its reader down, as its events are not buffered without limit; the views' reader must not
 * wait.
 */
export class EventStream {
  readonly body: Readable;
  private readonly controller = new AbortController();
  private readonly heartbeat: NodeJS.Timeout;
  private wanted = () => {};
  private waiting = false;

  /** @param position cursor after the last event that the client already has */
  constructor(
    private position: string,
    private readonly pace: StreamPace,
  ) {
    this.body = new Readable({ highWaterMark: bufferBytes, read: () => this.wanted() });
    this.body.once('close', () => this.stop());
    this.heartbeat = setInterval(() => this.beat(), pace.heartbeatMs);
    this.body.push(`retry: 1000\nid: ${position}\n\n`);
  }

  /** Sends until the client leaves or the stream ends. Never throws: an error of the source disconnects the client. */
  async send(source: EventSource): Promise<void> {
    try {
      for await (const { sequence, events } of source(this.controller.signal)) {
        for (const event of events) {
          await this.write(`${event.sequence}.${event.index}`, `data: ${JSON.stringify(event)}\n`);
        }
        this.position = String(sequence);
      }
      this.end();
    } catch (error) {
      this.body.destroy(error as Error);
    }
  }

  /** Ends the stream in an orderly way: the client may connect again, to another coordinator. */
  end(): void {
    this.stop();
    if (!this.body.destroyed && !this.body.readableEnded) this.body.push(null);
  }

  private stop(): void {
    clearInterval(this.heartbeat);
    this.controller.abort();
    this.wanted();
  }

  private beat(): void {
    if (!this.waiting) this.body.push(`: heartbeat\nid: ${this.position}\n\n`);
  }

  private async write(id: string, text: string): Promise<void> {
    if (this.controller.signal.aborted) return;
    this.position = id;
    if (this.body.push(`id: ${id}\n${text}\n`)) return;
    this.waiting = true;
    const timer = setTimeout(() => this.body.destroy(new Error('the client reads nothing')), this.pace.stallMs);
    await new Promise<void>((resolve) => (this.wanted = resolve));
    clearTimeout(timer);
    this.waiting = false;
  }
}
