import { Body, Controller, Delete, Get, HttpCode, Inject, Post, Query, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { jobGone, jobs, newestJob } from '#contexts/jobs';
import { JobEndpoint, JobReader } from '#contexts/jobs/http';
import { membershipView, ringMembers } from '#contexts/membership';
import { DomainError } from '#kernel';
import { CONFIG, missingParameters, queryText, Views, type LarderConfig } from '#runtime';
import { rebalanceKind } from '../rebalance.kind.js';
import { type RebalanceSpec } from '../spec.js';
import { StopRebalanceDto, SubmitRebalanceDto, type RebalanceOptionsDto } from './rebalance.dto.js';

const kind = rebalanceKind.name;

/** `/api/v1/rebalance`: move copies to where the ring says. */
@Controller('rebalance')
export class RebalanceController {
  constructor(
    private readonly endpoint: JobEndpoint,
    private readonly reader: JobReader,
    private readonly views: Views,
    @Inject(CONFIG) private readonly config: LarderConfig,
  ) {}

  @Get()
  async read(@Query() query: Record<string, unknown>): Promise<unknown> {
    const id = queryText(query.id);
    if (id !== undefined) return this.endpoint.single(await this.reader.byId(kind, id), query, 'target');
    const target = queryText(query.target);
    if (target !== undefined) {
      return this.endpoint.single(await this.reader.newest(kind, (record) => record.target === target), query);
    }
    return this.endpoint.list(kind, query);
  }

  @Post()
  async submit(
    @Body() dto: SubmitRebalanceDto,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const { target } = dto;
    const spec: RebalanceSpec = {
      target,
      workers: await this.workersOf(target),
      options: this.options(dto.options ?? {}),
    };
    await this.endpoint.submit({ kind, target, spec }, false, request, reply);
  }

  @Delete()
  @HttpCode(200)
  async stop(@Body() { id, target }: StopRebalanceDto, @Req() request: FastifyRequest): Promise<unknown> {
    if (!id && !target) throw missingParameters();
    const stopped = await this.endpoint.stop(kind, id || (await this.unfinishedOn(target!)), request);
    return id && target ? { ...stopped, ignored: ['target'] } : stopped;
  }

  private async unfinishedOn(target: string): Promise<string> {
    const record = await this.views.find(() =>
      newestJob(this.views.get(jobs), kind, (one) => one.target === target && one.state.status !== 'finished'),
    );
    if (!record) throw jobGone();
    return record.jobId;
  }

  private async workersOf(target: string): Promise<string[]> {
    const members = () => ringMembers(this.views.get(membershipView).state);
    if (target === 'ALL') return members();
    const worker = await this.views.find(() => members().find((id) => id === target));
    if (worker) return [worker];
    throw new DomainError(
      'Malformed',
      'bad-target',
      `target must be ALL or the id of a worker: ${target.slice(0, 100)}`,
    );
  }

  private options(dto: RebalanceOptionsDto): RebalanceSpec['options'] {
    return {
      loadBatchSize: dto.loadBatchSize || this.config.batchSize,
      loadBandwidth: dto.loadBandwidth ?? 0,
      pruneBandwidth: dto.pruneBandwidth ?? 0,
      skipPrune: dto.skipPrune ?? false,
    };
  }
}
