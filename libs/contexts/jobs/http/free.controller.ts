import { Body, Controller, Delete, Get, HttpCode, Post, Query, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { queryText } from '#runtime';
import { SubmitFreeDto } from './free.dto.js';
import { JobEndpoint } from './job-endpoint.js';
import { JobReader } from './job-reader.js';
import { JobIdDto } from './load.dto.js';
import { PathJobRequests } from './path-job-requests.js';

const kind = 'free';

/** `/api/v1/free`: remove copies from the cache. */
@Controller('free')
export class FreeController {
  constructor(
    private readonly endpoint: JobEndpoint,
    private readonly reader: JobReader,
    private readonly requests: PathJobRequests,
  ) {}

  @Get()
  async read(@Query() query: Record<string, unknown>): Promise<unknown> {
    const id = queryText(query.id);
    if (id === undefined) return this.endpoint.list(kind, query);
    return this.endpoint.single(await this.reader.byId(kind, id), query);
  }

  @Post()
  async submit(@Body() dto: SubmitFreeDto, @Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const { submission, sync } = await this.requests.free(dto);
    await this.endpoint.submit(submission, sync, request, reply);
  }

  @Delete()
  @HttpCode(200)
  stop(@Body() { id }: JobIdDto, @Req() request: FastifyRequest): Promise<unknown> {
    return this.endpoint.stop(kind, id, request);
  }
}
