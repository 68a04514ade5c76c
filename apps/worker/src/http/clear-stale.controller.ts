import { Body, Controller, Get, HttpCode, Inject, Post } from '@nestjs/common';
import { z } from 'zod';
import type { ClearStale, ClearStaleStatus } from '../copies/clear-stale.js';
import { clearStaleToken } from '../tokens.js';
import { bodyOf } from './request-body.js';

const operationSchema = z.object({ op: z.enum(['start', 'stop']) });

/** Removes, in the background, the copies that the ring does not give to this worker. */
@Controller('v1/clear-stale')
export class ClearStaleController {
  constructor(@Inject(clearStaleToken) private readonly clearStale: ClearStale) {}

  /** Starting answers at once. Stopping answers when no more copies are being removed. */
  @Post()
  @HttpCode(200)
  async operate(@Body() body: unknown): Promise<Record<string, never>> {
    const { op } = bodyOf(operationSchema, body);
    if (op === 'start') this.clearStale.start();
    else await this.clearStale.stop();
    return {};
  }

  @Get()
  status(): ClearStaleStatus {
    return this.clearStale.status();
  }
}
