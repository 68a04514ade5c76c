import { Body, Controller, Delete, Get, HttpCode, Inject, Param, Post, Query, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Readable } from 'node:stream';
import { JobEndpoint, JobIdDto, JobReader, PathRequests } from '#contexts/jobs/http';
import { CONFIG, queryText, type LarderConfig } from '#runtime';
import { fileFilter } from '../file-filter.js';
import { loadKind } from '../load.kind.js';
import { loadTarget, type LoadSpec } from '../spec.js';
import { SubmitLoadDto, type LoadOptionsDto } from './load.dto.js';

const kind = loadKind.name;

/** `/api/v1/load`: submit, resume, watch, list and stop load jobs. */
@Controller('load')
export class LoadController {
  constructor(
    private readonly endpoint: JobEndpoint,
    private readonly reader: JobReader,
    private readonly requests: PathRequests,
    @Inject(CONFIG) private readonly config: LarderConfig,
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
      const target = loadTarget({ roots: [], indexPath: await this.requests.resolve(index, 'index') });
      return this.endpoint.single(await this.reader.newest(kind, (record) => record.target === target), query);
    }
    return this.endpoint.list(kind, query);
  }

  @Post()
  async submit(@Body() dto: SubmitLoadDto, @Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const spec = await this.specOf(dto);
    const submission = { kind, target: loadTarget(spec), alias: dto.alias, spec };
    await this.endpoint.submit(submission, dto.options?.sync ?? false, request, reply);
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

  /** @throws DomainError Malformed, naming the field and what was expected */
  private async specOf(dto: SubmitLoadDto): Promise<LoadSpec> {
    const paths = await this.requests.accept(dto, 'tree');
    const { roots, covered, indexPath } = paths;
    const stores = this.requests.storesOf([...roots, ...covered, ...(indexPath ? [indexPath] : [])]);
    const batchGrows = !dto.options?.batchSize;
    return { ...paths, stores, ...(batchGrows && { batchGrows }), options: this.options(dto.options ?? {}) };
  }

  private options(dto: LoadOptionsDto): LoadSpec['options'] {
    const fileFilterRegex = dto.fileFilterRegex || dto.fileFilterRegx || '';
    fileFilter(fileFilterRegex);
    return {
      batchSize: dto.batchSize || this.config.batchSize,
      fileFilterRegex,
      replicas: dto.replicas || 1,
      skipIfExists: dto.skipIfExists ?? false,
      loadMetadataOnly: dto.loadMetadataOnly ?? false,
      verify: dto.verify ?? false,
      bandwidth: dto.bandwidth ?? 0,
    };
  }
}
