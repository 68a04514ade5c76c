import { Controller, Get, Inject } from '@nestjs/common';
import { DomainError } from '#kernel';
import type { Readiness } from '../tokens.js';
import { readinessToken } from '../tokens.js';

@Controller()
export class HealthController {
  constructor(@Inject(readinessToken) private readonly readiness: Readiness) {}

  /** The process is alive. */
  @Get('healthz')
  alive(): { status: string } {
    return { status: 'alive' };
  }

  /**
   * The worker takes batches; 503 until it does. Independent of this, objects are served once the mount table was read.
   */
  @Get('readyz')
  ready(): { status: string; warnings?: readonly string[] } {
    const { missing, warnings = [] } = this.readiness();
    if (missing !== undefined) throw new DomainError('Unavailable', 'not-ready', missing);
    return { status: 'ready', ...(warnings.length > 0 ? { warnings } : {}) };
  }
}
