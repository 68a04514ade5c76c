import { Controller, Get } from '@nestjs/common';
import { LogTrust } from '#contexts/trust/gate';
import { DomainError } from '#kernel';
import { Shutdown, Views } from '#runtime';

/** For supervisors and balancers; outside `/api/v1`. */
@Controller()
export class HealthController {
  constructor(
    private readonly views: Views,
    private readonly shutdown: Shutdown,
    private readonly trust: LogTrust,
  ) {}

  /** The process answers. */
  @Get('healthz')
  healthz(): unknown {
    return { status: 'ok' };
  }

  /**
   * The views have caught up with the log once, the log answers, and the process is not about to end. Names what was
   * found in the log that does not hold: nothing rests on it, so it is no reason not to be ready, but one to look.
   */
  @Get('readyz')
  async readyz(): Promise<unknown> {
    if (this.shutdown.draining.aborted) {
      throw new DomainError('Unavailable', 'draining', 'this coordinator is about to stop');
    }
    if (!this.views.ready)
      throw new DomainError('Unavailable', 'not-ready', 'the views have not caught up with the log');
    const staleMs = await this.views.freshen();
    if (staleMs !== undefined) {
      throw new DomainError('Unavailable', 'log-unreachable', `the log last answered ${Math.round(staleMs)} ms ago`);
    }
    const { count, unacknowledged, examples } = this.trust.report();
    const quarantine = count > 0 ? { quarantine: { count, unacknowledged, examples } } : {};
    return { status: 'ok', sequence: this.views.appliedSequence, ...quarantine };
  }
}
