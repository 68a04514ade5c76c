import { Body, Controller, Delete, Get, HttpCode, Post, Query, Req, UseGuards } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { featureGuard } from '#runtime';
import { PolicyPathDto, SetTtlDto } from './policy.dto.js';
import { PolicyRequests } from './policy-requests.js';

/** `/api/v1/ttl`: times to live. */
@Controller('ttl')
@UseGuards(featureGuard('ttl'))
export class TtlController {
  constructor(private readonly policies: PolicyRequests) {}

  @Get()
  read(@Query('path') path?: unknown): Promise<unknown> {
    return this.policies.read(
      path,
      ({ ttls }) => ttls,
      (key, ttlSeconds) => ({ path: key, ttlSeconds }),
      'No TTL policy found for path',
    );
  }

  @Post()
  @HttpCode(200)
  set(@Body() { path, ttlSeconds }: SetTtlDto, @Req() request: FastifyRequest): Promise<unknown> {
    return this.policies.execute({ type: 'SetTtl', path, ttlSeconds }, request);
  }

  @Delete()
  @HttpCode(200)
  remove(@Body() { path }: PolicyPathDto, @Req() request: FastifyRequest): Promise<unknown> {
    return this.policies.execute({ type: 'RemoveTtl', path }, request);
  }
}
