import { Body, Controller, Delete, Get, HttpCode, Param, Post, Query, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Readable } from 'node:stream';
import { DomainError } from '#kernel';
import { commandContext, queryText } from '#runtime';
import { JobReader } from './job-reader.js';
import { LoadRequests } from './load-requests.js';
import { JobIdDto, SubmitLoadDto } from './load.dto.js';
import { JobSubmissions } from './job-submissions.js';

const kind = 'load';
const maxListed = 100_000;

/** `/api/v1/load`: submit, resume, watch, list and stop load jobs. */
@Controller('load')
export class LoadController {
  constructor(
    private readonly reader: JobReader,
    private readonly requests: LoadRequests,
    private readonly submissions: JobSubmissions,
  ) {}

  @Get()
  async read(@Query() query: Record<string, unknown>): Promise<unknown> {
    const id = queryText(query.id);
    if (id !== undefined) return this.reader.byId(kind, id);
    const alias = queryText(query.alias);
    if (alias !== undefined) return this.reader.newest(kind, (record) => record.alias === alias);
    const index = queryText(query.index);
    if (index !== undefined) {
      const target = await this.requests.indexTarget(index);
      return this.reader.newest(kind, (record) => record.target === target);
    }
    const count = listCount(query.count);
    const results = this.reader.list(kind, { lastKey: queryText(query.lastKey), count });
    return { results, ...(results.length > 0 && count !== undefined ? { lastKey: results.at(-1)?.id } : {}) };
  }

  @Post()
  async submit(@Body() dto: SubmitLoadDto, @Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const { alias, spec, target, sync } = await this.requests.accept(dto);
    const context = commandContext(request);
    const { jobId, outcome, details } = await this.submissions.submit({ kind, target, alias, spec }, context);
    if (outcome === 'existing') {
      await reply.code(409).send({ id: jobId, ...details });
      return;
    }
    if (!sync) {
      await reply.code(200).send({ id: jobId });
      return;
    }
    await reply.code(200).send(await this.reader.atEnd(kind, jobId, closed(request)));
  }

  @Delete()
  @HttpCode(200)
  async stop(@Body() dto: JobIdDto, @Req() request: FastifyRequest): Promise<unknown> {
    await this.submissions.stop(kind, dto.id, commandContext(request));
    return { status: 'ok' };
  }

  /** Every failed file of a job, from the log, as JSON Lines: `{path, reason, attempts, workerId}`. */
  @Get(':id/failed_files')
  async failedFiles(@Param('id') id: string, @Res() reply: FastifyReply): Promise<void> {
    const failures = await this.reader.failures(kind, id);
    await reply.header('content-type', 'application/x-ndjson').send(Readable.from(failures));
  }
}

function listCount(value: unknown): number | undefined {
  const text = queryText(value);
  if (text === undefined) return undefined;
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1 || count > maxListed) {
    throw new DomainError('Malformed', 'bad-count', `count must be a whole number from 1 to ${maxListed}: ${text}`);
  }
  return count;
}

/** Aborted when the client has gone: nobody waits for the answer any more. The job goes on. */
function closed(request: FastifyRequest): AbortSignal {
  const controller = new AbortController();
  request.raw.socket.once('close', () => controller.abort());
  return controller.signal;
}
