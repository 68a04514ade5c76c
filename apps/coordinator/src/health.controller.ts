import { Controller, Get } from '@nestjs/common';
import { MountKeys, namespaceView } from '#contexts/namespace';
import { LogTrust } from '#contexts/trust/gate';
import { DomainError } from '#kernel';
import { Heartbeats, Shutdown, Views } from '#runtime';

/** For supervisors and balancers; outside `/api/v1`. */
@Controller()
export class HealthController {
  constructor(
    private readonly views: Views,
    private readonly shutdown: Shutdown,
    private readonly bus: Heartbeats,
    private readonly keys: MountKeys,
    private readonly trust: LogTrust,
  ) {}

  /** The process answers. */
  @Get('healthz')
  healthz(): unknown {
    return { status: 'ok' };
  }

  /**
   * The views have caught up with the log once, the log answers, the process is not about to end, and its key ring is
   * the cluster's. A mount that it cannot open, beside others that it can, is a warning: the others are served, and
   * every coordinator would be taken out of a balancer for the one. What was found in the log that does not hold is
   * named as well: nothing rests on it, so it is no reason not to be ready, but one to look.
   */
  @Get('readyz')
  async readyz(): Promise<unknown> {
    if (this.shutdown.draining.aborted) throw unready('draining', 'this coordinator is about to stop');
    if (!this.views.ready) throw unready('not-ready', 'the views have not caught up with the log');
    const staleMs = await this.views.freshen();
    if (staleMs !== undefined) {
      const why = this.bus.trouble ?? 'the log does not answer';
      throw unready('log-unreachable', `${why}; the log last answered ${Math.round(staleMs)} ms ago`);
    }
    const { closed, opensNone } = this.keys.look(this.views.get(namespaceView).state.mounts);
    const sentences = closed.map(({ sentence }) => sentence);
    if (opensNone) throw unready('wrong-keys', `no mount can be opened: ${sentences.join('; ')}`);
    const warnings = sentences.length > 0 ? { warnings: sentences } : {};
    const { count, unacknowledged, examples } = this.trust.report();
    const quarantine = count > 0 ? { quarantine: { count, unacknowledged, examples } } : {};
    return { status: 'ok', sequence: this.views.appliedSequence, ...warnings, ...quarantine };
  }
}

function unready(code: string, why: string): DomainError {
  return new DomainError('Unavailable', code, why);
}
