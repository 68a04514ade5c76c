import { Body, Controller, Delete, Get, HttpCode, Inject, Post, Query, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { JobEndpoint, JobIdDto, JobReader, PathRequests } from '#contexts/jobs/http';
import { CONFIG, queryText, type LarderConfig } from '#runtime';
import { freeKind } from '../free.kind.js';
import { freeTarget, type FreeSpec } from '../spec.js';
import { SubmitFreeDto } from './free.dto.js';

const kind = freeKind.name;

/** `/api/v1/free`: remove copies from the cache. */
@Controller('free')
export class FreeController {
  constructor(
    private readonly endpoint: JobEndpoint,
    private readonly reader: JobReader,
    private readonly requests: PathRequests,
    @Inject(CONFIG) private readonly config: LarderConfig,
  ) {}

  @Get()
  async read(@Query() query: Record<string, unknown>): Promise<unknown> {
    const id = queryText(query.id);
    if (id === undefined) return this.endpoint.list(kind, query);
    return this.endpoint.single(await this.reader.byId(kind, id), query);
  }

  @Post()
  async submit(@Body() dto: SubmitFreeDto, @Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const spec = await this.specOf(dto);
    const submission = { kind, target: freeTarget(spec), alias: dto.alias, spec };
    await this.endpoint.submit(submission, dto.options?.sync ?? false, request, reply);
  }

  @Delete()
  @HttpCode(200)
  stop(@Body() { id }: JobIdDto, @Req() request: FastifyRequest): Promise<unknown> {
    return this.endpoint.stop(kind, id, request);
  }

  /** @throws DomainError Malformed, naming the field and what was expected */
  private async specOf(dto: SubmitFreeDto): Promise<FreeSpec> {
    const { batchSize, recursive, unmounted = false } = dto.options ?? {};
    const chosen = { batchSize: batchSize || this.config.batchSize, recursive: recursive ?? true };
    const options = unmounted ? { ...chosen, unmounted } : chosen;
    // Drop paths that another path covers. A path that does not exist, or is not mounted, is no error: a free is made
    // for such paths too.
    const reach = options.recursive ? 'tree' : 'children';
    const { covered: _covered, ...paths } = await this.requests.accept(dto, reach, { alsoUnmounted: true });
    return { ...paths, options };
  }
}
