import { Body, Controller, Delete, Get, HttpCode, Param, Post, Query, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Readable } from 'node:stream';
import { queryText } from '#runtime';
import { JobEndpoint } from './job-endpoint.js';
import { JobReader } from './job-reader.js';
import { JobIdDto, SubmitLoadDto } from './load.dto.js';
import { PathJobRequests } from './path-job-requests.js';

const kind = 'load';

/** `/api/v1/load`: submit, resume, watch, list and stop load jobs. */
@Controller('load')
export class LoadController {
  constructor(
    private readonly endpoint: JobEndpoint,
    private readonly reader: JobReader,
    private readonly requests: PathJobRequests,
  ) {}

  @Get()
  async read(@Query() query: Record<string, unknown>): Promise<unknown> {
    const id = queryText(query.id);
    if (id !== undefined) return this.endpoint.single(await this.reader.byId(kind, id), query, 'alias', 'index');
    const alias = queryText(query.alias);
    if (alias !== undefined) {
      const newest = await this.reader.newest(kind, (record) => record.alias === alias);
      return this.endpoint.single(newest, query, 'index');
    }
    const index = queryText(query.index);
    if (index !== undefined) {
      const target = await this.requests.indexTarget(index);
      return this.endpoint.single(await this.reader.newest(kind, (record) => record.target === target), query);
    }
    return this.endpoint.list(kind, query);
  }

  @Post()
  async submit(@Body() dto: SubmitLoadDto, @Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const { submission, sync } = await this.requests.load(dto);
    await this.endpoint.submit(submission, sync, request, reply);
  }

  @Delete()
  @HttpCode(200)
  stop(@Body() { id }: JobIdDto, @Req() request: FastifyRequest): Promise<unknown> {
    return this.endpoint.stop(kind, id, request);
  }

  /** Every failed file of a job, from the log, as JSON Lines: `{path, reason, attempts, workerId}`. */
  @Get(':id/failed_files')
  async failedFiles(@Param('id') id: string, @Res() reply: FastifyReply): Promise<void> {
    const failures = await this.reader.failures(kind, id);
    await reply.header('content-type', 'application/x-ndjson').send(Readable.from(failures));
  }
}
