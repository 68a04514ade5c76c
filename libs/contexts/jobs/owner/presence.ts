import { Inject, Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { coordinatorHeartbeatSchema, type CoordinatorHeartbeat, type StoreWait } from '#contexts/membership';
import { HashRing } from '#hash-ring';
import { CONFIG, Heartbeats, LiveSet, Shutdown, StallWatch, type LarderConfig } from '#runtime';

type JobWait = NonNullable<CoordinatorHeartbeat['waiting']>[number];
/** A heartbeat is sent several times a second: no more jobs than this are told of. */
const maxWaitsTold = 100;

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
  private ownWaits: () => JobWait[] = () => [];
  /** By coordinator, as it said last. */
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
      if (!parsed.success) return; // another build's heartbeat: that coordinator is none we could leave jobs to
      // One's own come back by the way that the others' come.
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

  /** @param waits of the jobs that this coordinator owns, those whose listing waits for its store */
  tellOfWaits(waits: () => JobWait[]): void {
    this.ownWaits = waits;
  }

  /** Why the listing of a job waits, whoever owns it; undefined where it does not. */
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
