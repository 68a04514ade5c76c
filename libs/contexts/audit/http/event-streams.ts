import { Injectable } from '@nestjs/common';
import { type Readable } from 'node:stream';
import { DomainError } from '#kernel';
import { Shutdown } from '#runtime';
import { EventStream, type EventSource } from './event-stream.js';

/** Limited, because each stream costs a consumer in NATS and a reader here. */
const maxStreams = 200;
const pace = { heartbeatMs: 15_000, stallMs: 60_000 };

/** All open streams of this coordinator. They end when it stops, so they do not delay its stop. */
@Injectable()
export class EventStreams {
  private readonly streams = new Set<EventStream>();

  constructor(private readonly shutdown: Shutdown) {
    shutdown.closing.addEventListener('abort', () => {
      for (const stream of this.streams) stream.end();
    });
  }

  /** @throws DomainError Unavailable when there are too many, or this coordinator is stopping */
  open(position: string, source: EventSource): Readable {
    if (this.shutdown.closing.aborted) {
      throw new DomainError('Unavailable', 'stopping', 'this coordinator is stopping; ask another');
    }
    if (this.streams.size >= maxStreams) {
      throw new DomainError('Unavailable', 'too-many-streams', `this coordinator serves ${maxStreams} streams already`);
    }
    const stream = new EventStream(position, pace);
    this.streams.add(stream);
    stream.body.once('close', () => this.streams.delete(stream));
    void stream.send(source);
    return stream.body;
  }
}
