import { Controller, Get, Query, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Readable } from 'node:stream';
import { JobKinds } from '#contexts/jobs/kinds';
import { cursorText, type AuditEvent } from '../index.js';
import { AuditReader } from './audit-reader.js';
import { parseEventQuery, parseStreamQuery } from './event-query.js';
import { EventStreams } from './event-streams.js';

const defaultCount = 100;

/** `/api/v1/events`: the log, for auditors. */
@Controller('events')
export class EventsController {
  constructor(
    private readonly reader: AuditReader,
    private readonly streams: EventStreams,
    private readonly kinds: JobKinds,
  ) {}

  /** A page of events. As JSON Lines: all that match, or the first `count` of them. */
  @Get()
  async read(
    @Query() query: Record<string, unknown>,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const asked = parseEventQuery(query, request.headers.accept, this.kinds.names);
    const stretch = await this.reader.stretch(asked);
    if (asked.format === 'json') {
      await reply.send(await this.reader.page(stretch, asked.count ?? defaultCount));
      return;
    }
    // The answer to a HEAD has no body. So do not read the whole log for it.
    const events = request.method === 'HEAD' ? [] : this.reader.all(stretch);
    const body = Readable.from(lines(events, asked.count ?? Infinity));
    await reply.header('content-type', 'application/x-ndjson').send(body);
  }

  /** Server-Sent Events from now on, or from the client's last position. */
  @Get('stream')
  async stream(
    @Query() query: Record<string, unknown>,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const header = request.headers['last-event-id'];
    const lastEventId = typeof header === 'string' ? header : undefined;
    const { filter, from, after } = parseStreamQuery(query, lastEventId, this.kinds.names);
    const begin = await this.reader.beginning(from, after);
    void reply
      .header('content-type', 'text/event-stream; charset=utf-8')
      .header('cache-control', 'no-cache, no-transform')
      // Otherwise a buffering proxy would delay events.
      .header('x-accel-buffering', 'no');
    const body = this.streams.open(cursorText(begin), (signal) => this.reader.follow(filter, begin, signal));
    if (request.method === 'HEAD') body.destroy();
    await reply.send(request.method === 'HEAD' ? '' : body);
  }
}

async function* lines(events: AsyncIterable<AuditEvent> | Iterable<AuditEvent>, count: number): AsyncGenerator<string> {
  let written = 0;
  for await (const event of events) {
    if (written++ >= count) return;
    yield `${JSON.stringify(event)}\n`;
  }
}
