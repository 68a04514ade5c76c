import { Inject, Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { coordinatorHeartbeatSchema, type CoordinatorHeartbeat, type StoreWait } from '#contexts/membership';
import { HashRing } from '#hash-ring';
import { CONFIG, Heartbeats, LiveSet, Shutdown, StallWatch, type LarderConfig } from '#runtime';

type JobWait = NonNullable<CoordinatorHeartbeat['waiting']>[number];
/** A heartbeat is sent several times a second, so it names no more jobs than this. */
const maxWaitsTold = 100;

/**
 * The coordinators that this one hears. It only decides which coordinator *tries* to take a job over; the log decides
 * which one does. So a wrong guess costs work, and never correctness.
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
  private ownWaits: () => JobWait[] = () => [];
  /** By coordinator, from its last heartbeat. */
  private readonly othersWaits = new Map<string, JobWait[]>();

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
      if (!parsed.success) return; // A heartbeat of another build: that coordinator cannot take our jobs.
      // This process's own heartbeats come back over the same way as those of the others.
      if (parsed.data.coordinatorId === this.bus.selfId) this.heardSelfAt = performance.now();
      else if (parsed.data.leaving) this.live.forget(parsed.data.coordinatorId);
      else this.live.hear(parsed.data.coordinatorId);
      this.noteWaits(parsed.data);
    });
    this.timer = setInterval(() => this.beat(), this.config.ownerTimeoutMs / 4);
    this.beat();
    this.shutdown.draining.addEventListener('abort', () => this.leave());
  }

  onModuleDestroy(): void {
    this.leave();
  }

  /** Tells the others, so that they take our jobs over without waiting for our silence. */
  private leave(): void {
    if (this.left) return;
    this.left = true;
    clearInterval(this.timer);
    this.unsubscribe?.();
    this.bus.announceCoordinator({ coordinatorId: this.bus.selfId, leaving: true });
  }

  /**
   * Whether a silent coordinator can be taken for dead: this process has listened long enough, has not stood still
   * itself, and receives its own heartbeats over NATS.
   */
  canJudge(): boolean {
    if (this.stalls.stalledMs() > 0) return false;
    if (performance.now() - this.heardSelfAt > this.config.ownerTimeoutMs / 2) return false;
    return this.listeningSince !== undefined && performance.now() - this.listeningSince > this.config.ownerTimeoutMs;
  }

  isLive(coordinatorId: string): boolean {
    return coordinatorId === this.bus.selfId || this.live.isLive(coordinatorId);
  }

  /** Whether a job should go to this coordinator, among those that are alive. */
  isChosen(jobId: string): boolean {
    if (this.left) return false;
    const living = new HashRing([this.bus.selfId, ...this.live.live()]);
    return living.owners(jobId)[0] === this.bus.selfId;
  }

  /** @param waits the jobs of this coordinator whose listing waits for its store */
  tellOfWaits(waits: () => JobWait[]): void {
    this.ownWaits = waits;
  }

  /** Why the listing of a job waits, on any owner; undefined when it does not wait. */
  waitOf(jobId: string): StoreWait | undefined {
    const living = [...this.othersWaits].filter(([coordinatorId]) => this.isLive(coordinatorId));
    return [...this.ownWaits(), ...living.flatMap(([, waits]) => waits)].find((wait) => wait.jobId === jobId);
  }

  private noteWaits({ coordinatorId, leaving, waiting = [] }: CoordinatorHeartbeat): void {
    if (coordinatorId === this.bus.selfId) return;
    if (leaving || waiting.length === 0) this.othersWaits.delete(coordinatorId);
    else this.othersWaits.set(coordinatorId, waiting);
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
      const waiting = this.ownWaits().slice(0, maxWaitsTold);
      this.bus.announceCoordinator({ coordinatorId: this.bus.selfId, ...(waiting.length > 0 && { waiting }) });
    } else {
      this.live.suspend();
      this.listeningSince = undefined;
    }
  }
}
