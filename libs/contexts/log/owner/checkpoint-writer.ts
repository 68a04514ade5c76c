import { Inject, Injectable, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { Presence } from '#contexts/jobs/owner';
import { LogTrust } from '#contexts/trust/gate';
import { emptyRoot, EventStore } from '#jetstream';
import { DomainError } from '#kernel';
import { CONFIG, Heartbeats, ownContext, Recorder, Views, type LarderConfig } from '#runtime';
import { Stretch } from '../audit/index.js';
import { checkpointBoundary, logView, type CheckpointEvent } from '../index.js';

/** How many messages one checkpoint covers at most: it must stay well below the largest message that NATS accepts. */
const maxStretch = 10_000;
/**
 * How many void ranges a checkpoint lists at most. Without a flood of void messages there are far fewer. Together with
 * the digests they stay far below the largest message of NATS (1 MB). A checkpoint without this list still proves the
 * log, but its readers must verify all messages themselves.
 */
export const maxVoidRanges = 5_000;
/** How often a writer checks whether a checkpoint is due. */
const lookEveryMs = 1_000;

/**
 * Writes checkpoints over the log: after a number of uncovered messages, or a time after the first uncovered one. One
 * replica does this. If two replicas try, the expected sequence lets only one append. After a failure, the next check
 * tries again. A checkpoint does not make another one due, so an idle log stays as it is.
 */
@Injectable()
export class CheckpointWriter implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger(CheckpointWriter.name);
  private timer?: NodeJS.Timeout;
  private unsubscribe?: () => void;
  private writing?: Promise<void>;
  private stopped = false;
  /** Since when there are uncovered messages, by the clock of this process. */
  private pendingSinceMs: number | undefined;

  constructor(
    private readonly views: Views,
    private readonly store: EventStore,
    private readonly presence: Presence,
    private readonly recorder: Recorder,
    private readonly heartbeats: Heartbeats,
    private readonly trust: LogTrust,
    @Inject(CONFIG) private readonly config: LarderConfig,
  ) {}

  onApplicationBootstrap(): void {
    this.unsubscribe = this.views.onCommit(({ boundary }) => {
      if (boundary !== checkpointBoundary.name) this.look();
    });
    this.timer = setInterval(() => this.look(), Math.min(lookEveryMs, this.config.checkpointMs / 2));
  }

  async onModuleDestroy(): Promise<void> {
    this.stopped = true;
    clearInterval(this.timer);
    this.unsubscribe?.();
    await this.writing;
  }

  private look(): void {
    if (this.uncovered() === 0) this.pendingSinceMs = undefined;
    else this.pendingSinceMs ??= performance.now();
    if (this.writing || !this.isDue() || !this.views.ready || !this.presence.isChosen('checkpoints')) return;
    this.writing = this.write()
      .catch((error: unknown) => this.logger.warn(`no checkpoint this time: ${String(error)}`))
      .finally(() => (this.writing = undefined));
  }

  private isDue(): boolean {
    if (this.stopped || this.pendingSinceMs === undefined) return false;
    const { checkpointEvery, checkpointMs } = this.config;
    return this.uncovered() >= checkpointEvery || performance.now() - this.pendingSinceMs >= checkpointMs;
  }

  /** How many messages are uncovered, up to the newest message that is not a checkpoint. */
  private uncovered(): number {
    const { newestSequence, checkpoint } = this.views.get(logView);
    return Math.max(0, newestSequence - (checkpoint?.throughSequence ?? 0));
  }

  /** Writes checkpoints until all messages are covered that were there at the start. */
  private async write(): Promise<void> {
    const end = this.views.get(logView).newestSequence;
    let { sequence, throughSequence, root } = this.views.get(logView).checkpoint ?? {
      sequence: 0,
      throughSequence: (await this.store.info()).firstSequence - 1,
      root: emptyRoot,
    };
    while (throughSequence < end && !this.stopped) {
      const stretch = new Stretch(throughSequence + 1, root);
      const through = Math.min(end, throughSequence + maxStretch);
      for await (const message of this.store.readMessages('>', { from: stretch.fromSequence, through })) {
        stretch.add(message);
      }
      const ranges = this.trust.gate.quarantine.through(through);
      const data = {
        ...stretch.checkpoint(this.config.secretKeys![0]),
        ...(ranges.length <= maxVoidRanges && {
          void: ranges.map(([first, last]): [number, number] => [first, last]),
        }),
      };
      const event: CheckpointEvent = { type: 'LogCheckpointed', data };
      const events = this.recorder.record([event], ownContext(`coordinator:${this.heartbeats.selfId}`));
      try {
        ({ sequence } = await this.store.append(checkpointBoundary.name, sequence, events));
      } catch (error) {
        // Another replica wrote at the same time and was faster.
        if (error instanceof DomainError && error.kind === 'StaleVersion') return;
        throw error;
      }
      ({ throughSequence, root } = data);
      await this.views.waitFor(sequence);
    }
  }
}
