import { Inject, Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { coordinatorHeartbeatSchema } from '#contexts/membership';
import { HashRing } from '#hash-ring';
import { CONFIG, Heartbeats, LiveSet, Shutdown, StallWatch, type LarderConfig } from '#runtime';

/**
 * Which coordinators are alive, as far as this one hears. It only decides who *tries* to take a job over: the log
 * decides who did, so a wrong guess costs work, never truth.
 */
@Injectable()
export class Presence implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly live: LiveSet;
  private readonly stalls: StallWatch;
  private timer?: NodeJS.Timeout;
  private unsubscribe?: () => void;
  /** Since when this process hears the others without a break. */
  private listeningSince: number | undefined;
  /** When the last of this process's own heartbeats came back. */
  private heardSelfAt = -Infinity;
  private left = false;

  constructor(
    private readonly bus: Heartbeats,
    private readonly shutdown: Shutdown,
    @Inject(CONFIG) private readonly config: LarderConfig,
  ) {
    this.live = new LiveSet(config.ownerTimeoutMs);
    this.stalls = new StallWatch(config.ownerTimeoutMs / 4);
  }

  onApplicationBootstrap(): void {
    this.unsubscribe = this.bus.onCoordinator((message) => {
      const parsed = coordinatorHeartbeatSchema.safeParse(message);
      if (!parsed.success) return; // another build's heartbeat: that coordinator is none we could leave jobs to
      // One's own come back by the way that the others' come.
      if (parsed.data.coordinatorId === this.bus.selfId) this.heardSelfAt = performance.now();
      else if (parsed.data.leaving) this.live.forget(parsed.data.coordinatorId);
      else this.live.hear(parsed.data.coordinatorId);
    });
    this.timer = setInterval(() => this.beat(), this.config.ownerTimeoutMs / 4);
    this.beat();
    this.shutdown.draining.addEventListener('abort', () => this.leave());
  }

  onModuleDestroy(): void {
    this.leave();
  }

  /** The others take over what is ours without waiting for our silence. */
  private leave(): void {
    if (this.left) return;
    this.left = true;
    clearInterval(this.timer);
    this.unsubscribe?.();
    this.bus.announceCoordinator({ coordinatorId: this.bus.selfId, leaving: true });
  }

  /**
   * Whether nothing but death can explain a coordinator's silence: we have listened long enough, have not stood still
   * ourselves, and NATS brings us what we say.
   */
  canJudge(): boolean {
    if (this.stalls.stalledMs() > 0) return false;
    if (performance.now() - this.heardSelfAt > this.config.ownerTimeoutMs / 2) return false;
    return this.listeningSince !== undefined && performance.now() - this.listeningSince > this.config.ownerTimeoutMs;
  }

  isLive(coordinatorId: string): boolean {
    return coordinatorId === this.bus.selfId || this.live.isLive(coordinatorId);
  }

  /** Whether this coordinator is the one among the living that a job should go to. */
  isChosen(jobId: string): boolean {
    if (this.left) return false;
    const living = new HashRing([this.bus.selfId, ...this.live.live()]);
    return living.owners(jobId)[0] === this.bus.selfId;
  }

  private beat(): void {
    const stalledMs = this.stalls.look();
    if (stalledMs > 0) {
      this.live.forgive(stalledMs);
      this.listeningSince = undefined;
    }
    if (this.bus.connected) {
      this.live.resume();
      this.listeningSince ??= performance.now();
      this.bus.announceCoordinator({ coordinatorId: this.bus.selfId });
    } else {
      this.live.suspend();
      this.listeningSince = undefined;
    }
  }
}
