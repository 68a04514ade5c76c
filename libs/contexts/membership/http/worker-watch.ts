import { Inject, Injectable, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { workerWitness } from '#contexts/log';
import { LogGuard } from '#contexts/log/marks';
import { DomainError } from '#kernel';
import {
  CommandHandler,
  CONFIG,
  currentPast,
  Heartbeats,
  LiveSet,
  ownContext,
  StallWatch,
  Views,
  type LarderConfig,
} from '#runtime';
import {
  membership,
  membershipBoundary,
  membershipView,
  workerHeartbeatSchema,
  type MembershipCommand,
  type WorkerHeartbeat,
} from '../index.js';

const sweepMs = 250;

/**
 * Turns heartbeats, and their absence, into membership events. Every coordinator watches; whoever decides first
 * writes the event, and the others find nothing left to decide.
 */
@Injectable()
export class WorkerWatch implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger('membership');
  private readonly heartbeats = new Map<string, WorkerHeartbeat>();
  private readonly live: LiveSet;
  private readonly stalls = new StallWatch(sweepMs);
  private timer?: NodeJS.Timeout;
  private unsubscribe?: () => void;
  private sweeping = false;
  private readonly actor: string;

  constructor(
    private readonly views: Views,
    private readonly commands: CommandHandler,
    private readonly bus: Heartbeats,
    private readonly guard: LogGuard,
    @Inject(CONFIG) private readonly config: LarderConfig,
  ) {
    this.live = new LiveSet(config.workerTimeoutMs);
    this.actor = `coordinator:${bus.selfId}`;
  }

  onApplicationBootstrap(): void {
    this.unsubscribe = this.bus.onWorker((message) => this.heard(message));
    this.timer = setInterval(() => void this.sweep(), sweepMs);
  }

  onModuleDestroy(): void {
    clearInterval(this.timer);
    this.unsubscribe?.();
  }

  /** Undefined within a request about the past: heartbeats are not stored. */
  lastHeartbeat(workerId: string): WorkerHeartbeat | undefined {
    return currentPast() ? undefined : this.heartbeats.get(workerId);
  }

  /** What the workers have in hand for a job right now, by batch id; of the past nothing is known. */
  runningBatches(jobId: string): { batchId: string; files: number; bytes: number }[] {
    if (currentPast()) return [];
    return [...this.heartbeats.values()]
      .filter(({ workerId }) => this.live.isLive(workerId))
      .flatMap(({ running }) => running.filter((batch) => batch.jobId === jobId));
  }

  /** Places in the work stream of the batches that a worker holds, as it said last; undefined while it is not heard. */
  heldBy(workerId: string): readonly number[] | undefined {
    const last = this.heartbeats.get(workerId);
    if (!last || last.leaving || this.live.suspended || !this.live.isLive(workerId)) return undefined;
    return last.held ?? [];
  }

  private heard(message: unknown): void {
    const parsed = workerHeartbeatSchema.safeParse(message);
    if (!parsed.success) {
      this.logger.warn(`a malformed worker heartbeat was ignored: ${parsed.error.message}`);
      return;
    }
    const heartbeat = parsed.data;
    const { workerId, address, logMark, refusesLog } = heartbeat;
    // One that belongs to another log, or takes this one for another, is nobody here: as if it were silent.
    const admitted = this.guard.admits({ who: workerWitness(workerId, address), mark: logMark });
    if (!admitted || refusesLog !== undefined) return;
    // Its last numbers stay when it leaves: what it has cached is still on its disk.
    this.heartbeats.set(heartbeat.workerId, heartbeat);
    this.live.hear(heartbeat.workerId);
  }

  private async sweep(): Promise<void> {
    this.live.forgive(this.stalls.look());
    if (this.bus.connected) this.live.resume();
    else this.live.suspend();
    if (this.sweeping || this.live.suspended) return;
    this.sweeping = true;
    try {
      for (const command of this.due()) {
        const load = () => this.views.get(membershipView);
        await this.commands.execute(
          { boundary: membershipBoundary, decider: membership, load },
          command,
          ownContext(this.actor),
        );
      }
    } catch (error) {
      // NATS is away or another replica was quicker: the next sweep decides again from what it then sees.
      if (!(error instanceof DomainError)) throw error;
      this.logger.warn(`membership could not be updated: ${error.message}`);
    } finally {
      this.sweeping = false;
    }
  }

  private due(): MembershipCommand[] {
    const { state } = this.views.get(membershipView);
    const commands: MembershipCommand[] = [];
    for (const heartbeat of this.heartbeats.values()) {
      if (heartbeat.leaving || !this.live.isLive(heartbeat.workerId)) continue;
      const command: MembershipCommand = { type: 'Announce', announcement: heartbeat };
      if (membership.decide(state, command).length > 0) commands.push(command);
    }
    for (const { workerId, bootId, status } of Object.values(state.workers)) {
      if (status !== 'online' && status !== 'offline') continue;
      const last = this.heartbeats.get(workerId);
      // Who takes leave is offline at once; its grace period runs from that word.
      if (last?.leaving && last.bootId === bootId && status === 'online') {
        commands.push({ type: 'ReportSilence', workerId, bootId, lost: false });
        continue;
      }
      // Known from the log but never heard here: its time runs from when we began to listen.
      const silenceMs = this.live.silenceMs(workerId);
      if (silenceMs === undefined) this.live.hear(workerId);
      else if (silenceMs > this.config.workerTimeoutMs) {
        const lost = silenceMs > this.config.workerTimeoutMs + this.config.workerGraceMs;
        if (status === 'online' || lost) commands.push({ type: 'ReportSilence', workerId, bootId, lost });
      }
    }
    return commands;
  }
}
