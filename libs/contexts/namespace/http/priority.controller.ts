import { Body, Controller, Delete, Get, HttpCode, Post, Query, Req, UseGuards } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { DomainError } from '#kernel';
import { featureGuard } from '#runtime';
import { priorities, type Priority } from '../index.js';
import { PolicyPathDto, SetPriorityDto } from './policy.dto.js';
import { PolicyRequests } from './policy-requests.js';

/** `/api/v1/priority`: eviction priorities. */
@Controller('priority')
@UseGuards(featureGuard('priority'))
export class PriorityController {
  constructor(private readonly policies: PolicyRequests) {}

  @Get()
  read(@Query('path') path?: unknown): Promise<unknown> {
    return this.policies.read(
      path,
      (policies) => policies.priorities,
      (key, priority) => ({ path: key, priority }),
      'No priority rule found for path',
    );
  }

  @Post()
  @HttpCode(200)
  set(@Body() { path, priority }: SetPriorityDto, @Req() request: FastifyRequest): Promise<unknown> {
    return this.policies.execute({ type: 'SetPriority', path, priority: parsePriority(priority) }, request);
  }

  @Delete()
  @HttpCode(200)
  remove(@Body() { path }: PolicyPathDto, @Req() request: FastifyRequest): Promise<unknown> {
    return this.policies.execute({ type: 'RemovePriority', path }, request);
  }
}

function parsePriority(text: string): Priority {
  const priority = priorities.find((candidate) => candidate === text.toLowerCase());
  if (priority) return priority;
  throw new DomainError('Malformed', 'bad-priority', `priority must be HIGH, MEDIUM or LOW: ${text.slice(0, 100)}`);
}
