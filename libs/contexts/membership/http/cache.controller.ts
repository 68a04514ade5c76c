import { Body, Controller, Delete, HttpCode, Post } from '@nestjs/common';
import { DomainError } from '#kernel';
import { RequiredText, Views } from '#runtime';
import { listWorkers, membershipView } from '../index.js';
import type { CacheAnswer } from './cache.answers.js';
import { WorkerClient } from './worker-client.js';

export class CacheOperationDto {
  @RequiredText('clear-stale')
  op: string;
}

/** `/api/v1/cache`: operations on the caches of all workers at once. */
@Controller('cache')
export class CacheController {
  constructor(
    private readonly views: Views,
    private readonly workers: WorkerClient,
  ) {}

  @Post()
  @HttpCode(200)
  start(@Body() { op }: CacheOperationDto): Promise<CacheAnswer> {
    return this.tellAll(op, 'start');
  }

  @Delete()
  @HttpCode(200)
  stop(@Body() { op }: CacheOperationDto): Promise<CacheAnswer> {
    return this.tellAll(op, 'stop');
  }

  /** Sends the operation to all workers. `errors` has an entry, by address, for each worker that it did not reach. */
  private async tellAll(operation: string, op: 'start' | 'stop'): Promise<CacheAnswer> {
    if (operation !== 'clear-stale') {
      throw new DomainError('Refused', 'unknown-operation', 'OP not implemented', { httpStatus: 501 });
    }
    const errors: Record<string, string> = {};
    await Promise.all(
      listWorkers(this.views.get(membershipView).state).map(async ({ workerId, address }) => {
        try {
          await this.workers.post(workerId, '/v1/clear-stale', { op });
        } catch (error) {
          if (!(error instanceof DomainError)) throw error;
          errors[address] = error.message;
        }
      }),
    );
    return { errors };
  }
}
