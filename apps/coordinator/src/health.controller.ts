import { Controller, Get } from '@nestjs/common';
import { DomainError } from '#kernel';
import { Views } from '#runtime';

/** For supervisors and balancers; outside `/api/v1`. */
@Controller()
export class HealthController {
  constructor(private readonly views: Views) {}

  /** The process answers. */
  @Get('healthz')
  healthz(): unknown {
    return { status: 'ok' };
  }

  /** The views have caught up with the log once, and the log can be reached. */
  @Get('readyz')
  readyz(): unknown {
    const staleMs = this.views.staleMs();
    if (!this.views.ready)
      throw new DomainError('Unavailable', 'not-ready', 'the views have not caught up with the log');
    if (staleMs !== undefined) {
      throw new DomainError('Unavailable', 'log-unreachable', `the log was last reached ${Math.round(staleMs)} ms ago`);
    }
    return { status: 'ok', sequence: this.views.appliedSequence };
  }
}
