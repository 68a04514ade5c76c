import { Bell } from '#async';
import { Inject, Injectable, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { workerWitness } from '#contexts/log';
import { LogGuard } from '#contexts/log/marks';
import { DomainError } from '#kernel';
import {
  CommandHandler,
  CONFIG,
  currentPast,
  Heartbeats,
  ownContext,
  StallWatch,
  Views,
  type LarderConfig,
} from '#runtime';
import {
  figuresVerb,
  isImpostor,
  listWorkers,
  membership,
  membershipBoundary,
  membershipView,
  workerHeartbeatSchema,
  type MembershipCommand,
  type WorkerHeartbeat,
} from '../index.js';
import { WorkerSilence } from './worker-silence.js';

const sweepMs = 250;
/** How long to wait for the workers' answers to one `figures` request. */
const figuresWithinMs = 500;

/**
 * Turns heartbeats, and their absence, into membership events. Every coordinator watches. The first one to decide
 * writes the event, and the others then have nothing left to decide.
 */
@Injectable()
export class WorkerWatch implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger('membership');
  private readonly heartbeats = new Map<string, WorkerHeartbeat>();
  private readonly silence: WorkerSilence;
  /** Rings with every heartbeat. */
  private readonly news = new Bell();
  private readonly stalls = new StallWatch(sweepMs);
  private timer?: NodeJS.Timeout;
  private unsubscribe?: () => void;
  private sweeping = false;
  /** Those already logged: each is logged once. */
  private readonly impostors = new Set<string>();
  private readonly actor: string;

  constructor(
    private readonly views: Views,
    private readonly commands: CommandHandler,
    private readonly bus: Heartbeats,
    private readonly guard: LogGuard,
    @Inject(CONFIG) private readonly config: LarderConfig,
  ) {
    this.silence = new WorkerSilence(config.workerTimeoutMs);
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

  /** Undefined in a request about the past, because heartbeats are not stored. */
  lastHeartbeat(workerId: string): WorkerHeartbeat | undefined {
    return currentPast() ? undefined : this.heartbeats.get(workerId);
  }

  /** The batches of a job that workers are running now. Empty in a request about the past. */
  runningBatches(jobId: string): WorkerHeartbeat['running'] {
    if (currentPast()) return [];
    return [...this.heartbeats.values()]
      .filter(({ workerId }) => this.silence.heard.isLive(workerId))
      .flatMap(({ running }) => running.filter((batch) => batch.jobId === jobId));
  }

  /**
   * Waits until every known worker applies the mounts and policies of this log sequence or later.
   * @returns addresses of the workers that have not reported this within the timeout
   */
  async untilNamespace(sequence: number, timeoutMs: number): Promise<string[]> {
    await this.news.until(() => this.behind(sequence).length === 0 || undefined, timeoutMs);
    return this.behind(sequence);
  }

  /**
   * Asks all workers for their present numbers, because their last heartbeats may be older than their last changes.
   * @returns whether all online workers answered, except those of versions up to 0.2, which cannot be asked
   */
  async hearAll(): Promise<boolean> {
    const listening = [...this.heartbeats.values()].filter(
      ({ workerId, quotaClaims, leaving }) =>
        quotaClaims !== undefined && !leaving && this.silence.heard.isLive(workerId),
    );
    const options = { expected: listening.length, timeoutMs: figuresWithinMs };
    const answers = await this.bus.askWorkers(figuresVerb, options);
    const answered = new Set(answers.map((answer) => 'value' in answer && this.heard(answer.value)));
    const online = listWorkers(this.views.get(membershipView).state).filter(({ status }) => status === 'online');
    return online.every(({ workerId }) => {
      const last = this.heartbeats.get(workerId);
      return last !== undefined && (answered.has(workerId) || last.quotaClaims === undefined || last.leaving);
    });
  }

  /** Work stream sequences of the batches that a worker holds, by its last heartbeat; undefined while it is silent. */
  heldBy(workerId: string): readonly number[] | undefined {
    const last = this.heartbeats.get(workerId);
    if (!last || last.leaving || this.silence.heard.suspended || !this.silence.heard.isLive(workerId)) return undefined;
    return last.held ?? [];
  }

  /** @returns the worker's id; undefined when the heartbeat is ignored */
  private heard(message: unknown): string | undefined {
    const parsed = workerHeartbeatSchema.safeParse(message);
    if (!parsed.success) {
      this.logger.warn(`a malformed worker heartbeat was ignored: ${parsed.error.message}`);
      return undefined;
    }
    const heartbeat = parsed.data;
    const { workerId, address, logMark, refusesLog } = heartbeat;
    // Ignore a worker that belongs to another log, or that refuses this log: it counts as silent.
    const admitted = this.guard.admits({ who: workerWitness(workerId, address), mark: logMark });
    if (!admitted || refusesLog !== undefined || this.isImpostor(heartbeat)) return undefined;
    // The last numbers of a leaving worker stay, because its cached objects are still on its disk.
    if (!isOlder(heartbeat, this.heartbeats.get(workerId))) this.heartbeats.set(workerId, heartbeat);
    this.silence.hear(workerId);
    this.news.sound();
    return workerId;
  }

  /** Addresses of workers that may still apply mounts and policies from before this log sequence. */
  private behind(sequence: number): string[] {
    const heard = (workerId: string) => this.heartbeats.get(workerId);
    const online = listWorkers(this.views.get(membershipView).state).filter(({ status }) => status === 'online');
    // Decommissioned workers serve their copies as long as they run.
    const others = [...this.heartbeats.values()].filter(({ workerId }) => this.silence.heard.isLive(workerId));
    const addresses = new Map([...online, ...others].map(({ workerId, address }) => [workerId, address]));
    return [...addresses]
      .filter(([workerId]) => !heard(workerId)?.leaving && (heard(workerId)?.namespaceSequence ?? 0) < sequence)
      .map(([, address]) => address);
  }

  private isImpostor(heartbeat: WorkerHeartbeat): boolean {
    if (!isImpostor(this.views.get(membershipView).state, heartbeat)) return false;
    const key = `${heartbeat.workerId} ${heartbeat.publicKey}`;
    if (!this.impostors.has(key)) {
      this.impostors.add(key);
      const text = `${workerWitness(heartbeat.workerId, heartbeat.address)} has another key than the worker of that id`;
      this.logger.error(`${text}: it is not admitted; if its identity was lost, remove identity.json from its cache`);
    }
    return true;
  }

  private async sweep(): Promise<void> {
    this.silence.forgive(this.stalls.look());
    if (this.bus.connected) this.silence.resume();
    else this.silence.suspend();
    if (this.sweeping || this.silence.heard.suspended) return;
    this.sweeping = true;
    try {
      for (const command of this.due()) {
        const load = () => this.views.get(membershipView);
        await this.commands.execute(
          { boundary: membershipBoundary.name, decider: membership, load },
          command,
          ownContext(this.actor),
        );
      }
    } catch (error) {
      // NATS is away or another replica was faster. The next sweep decides again.
      if (!(error instanceof DomainError)) throw error;
      this.logger.warn(`membership could not be updated: ${error.message}`);
    } finally {
      this.sweeping = false;
    }
  }

  private due(): MembershipCommand[] {
    const { state } = this.views.get(membershipView);
    this.silence.learn(Object.values(state.workers));
    const commands: MembershipCommand[] = [];
    for (const heartbeat of this.heartbeats.values()) {
      if (heartbeat.leaving || !this.silence.heard.isLive(heartbeat.workerId)) continue;
      const command: MembershipCommand = { type: 'Announce', announcement: heartbeat };
      if (membership.decide(state, command).length > 0) commands.push(command);
    }
    for (const { workerId, bootId, status } of Object.values(state.workers)) {
      if (status !== 'online' && status !== 'offline') continue;
      const last = this.heartbeats.get(workerId);
      // A worker that leaves is offline at once. Its grace period starts with its last heartbeat.
      if (last?.leaving && last.bootId === bootId && status === 'online') {
        commands.push({ type: 'ReportSilence', workerId, bootId, lost: false });
        continue;
      }
      if (!this.silence.isSilent(workerId)) continue;
      const lost = this.silence.isSilent(workerId, this.config.workerGraceMs);
      if (status === 'online' || lost) commands.push({ type: 'ReportSilence', workerId, bootId, lost });
    }
    return commands;
  }
}

function isOlder(one: WorkerHeartbeat, other: WorkerHeartbeat | undefined): boolean {
  return one.bootId === other?.bootId && (one.beat ?? 0) < (other.beat ?? 0);
}
