import { Controller, Get } from '@nestjs/common';
import { readinessAnswer, type ReadinessAnswer } from '#contexts/api-docs';
import { MountKeys, namespaceView } from '#contexts/namespace';
import { LogTrust } from '#contexts/trust/gate';
import { DomainError } from '#kernel';
import { Heartbeats, Shutdown, Views } from '#runtime';
import { answerAs, type Ok } from '#schema';

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
  healthz(): Ok {
    return { status: 'ok' };
  }

  /**
   * Ready: the views have caught up with the log once, the log answers, the process is not about to end, and it has the
   * cluster's key ring. If only some mounts cannot be opened, that is a warning: otherwise a balancer would remove
   * every coordinator because of one mount. Void messages of the log are named, too. They have no effect, so the
   * coordinator is ready, but an operator should look at them.
   */
  @Get('readyz')
  async readyz(): Promise<ReadinessAnswer> {
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
    const sequence = this.views.appliedSequence;
    return answerAs(readinessAnswer, { status: 'ok', sequence, ...warnings, ...quarantine });
  }
}

function unready(code: string, why: string): DomainError {
  return new DomainError('Unavailable', code, why);
}
