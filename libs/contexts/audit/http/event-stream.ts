import { Readable } from 'node:stream';
import { type AuditEvent } from '../index.js';

/** Commits with those of their events that the client asked for. */
export type EventSource = (signal: AbortSignal) => AsyncIterable<{ sequence: number; events: readonly AuditEvent[] }>;

export interface StreamPace {
  /** A comment goes out so often while there is nothing to say. */
  readonly heartbeatMs: number;
  /** A client that takes nothing for so long is cut off. */
  readonly stallMs: number;
}

/** What waits for a slow client in this process before the log is not read any further for it. */
const bufferBytes = 64 * 1024;

/**
 * One client's Server-Sent Events (https://html.spec.whatwg.org/multipage/server-sent-events.html). Ids are cursors:
 * sent back as `Last-Event-ID`, to any coordinator, the stream goes on behind that event. A heartbeat carries the id of
 * what has been looked at, so that a filter that rarely matches need not look at it again.
 *
 * It has a reader of the log of its own, although the views read the same log: a client may begin in the past, and one
 * that is slow must hold its own reader up instead of being buffered for, which the views' reader cannot be.
 */
export class EventStream {
  readonly body: Readable;
  private readonly controller = new AbortController();
  private readonly heartbeat: NodeJS.Timeout;
  private wanted = () => {};
  private waiting = false;

  /** @param position of what the client has already, as a cursor */
  constructor(
    private position: string,
    private readonly pace: StreamPace,
  ) {
    this.body = new Readable({ highWaterMark: bufferBytes, read: () => this.wanted() });
    this.body.once('close', () => this.stop());
    this.heartbeat = setInterval(() => this.beat(), pace.heartbeatMs);
    this.body.push(`retry: 1000\nid: ${position}\n\n`);
  }

  /** Sends until the client has gone or the stream is ended. Never throws: a broken source cuts the client off. */
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

  /** In good order: the client may connect again, elsewhere. */
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
    const timer = setTimeout(() => this.body.destroy(new Error('the client takes nothing')), this.pace.stallMs);
    await new Promise<void>((resolve) => (this.wanted = resolve));
    clearTimeout(timer);
    this.waiting = false;
  }
}
