import { Body, Controller, Delete, Get, HttpCode, Post, Query, Req, UseGuards } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { WorkerWatch } from '#contexts/membership/http';
import { namespaceView } from '#contexts/namespace';
import { PolicyPathDto, PolicyRequests, SetQuotaDto } from '#contexts/namespace/http';
import { currentPast, featureGuard, Views } from '#runtime';
import { QuotaLedger } from './quota-ledger.js';

/** A worker that is slow to hear of a quota still asks no leave for what its readers bring in. */
const workersWithinMs = 2_000;

/** `/api/v1/quota`: bytes that may be cached below a directory. */
@Controller('quota')
@UseGuards(featureGuard('quota'))
export class QuotaController {
  constructor(
    private readonly policies: PolicyRequests,
    private readonly ledger: QuotaLedger,
    private readonly watch: WorkerWatch,
    private readonly views: Views,
  ) {}

  @Get()
  read(@Query('path') path?: unknown): Promise<unknown> {
    return this.policies.read(
      path,
      ({ quotas }) => quotas,
      (key, quotaBytes) => this.present(key, quotaBytes),
      'No quota item found for path',
    );
  }

  @Post()
  @HttpCode(200)
  async set(@Body() { path, quotaBytes }: SetQuotaDto, @Req() request: FastifyRequest): Promise<unknown> {
    const answer = await this.policies.execute({ type: 'SetQuota', path, quotaBytes }, request);
    await this.watch.untilNamespace(this.views.get(namespaceView).sequence, workersWithinMs);
    return answer;
  }

  @Delete()
  @HttpCode(200)
  remove(@Body() { path }: PolicyPathDto, @Req() request: FastifyRequest): Promise<unknown> {
    return this.policies.execute({ type: 'RemoveQuota', path }, request);
  }

  private present(path: string, quotaBytes: number): Record<string, unknown> {
    const ufsPaths = this.ledger.ufsPathsOf(path);
    const sum = (bytes: (ufsPath: string) => number) => ufsPaths.reduce((total, one) => total + bytes(one), 0);
    const reservedBytes = sum((one) => this.ledger.reservedBytes(one));
    // How full it was, and so whether it held, only heartbeats knew.
    if (currentPast()) return { path, quotaBytes, reservedBytes };
    const usedBytes = sum((one) => this.ledger.usedBytes(one));
    const state = usedBytes + reservedBytes > quotaBytes ? 'Exceeded' : 'Available';
    return { path, state, quotaBytes, usedBytes, reservedBytes };
  }
}
