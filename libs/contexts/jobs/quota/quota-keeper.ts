import { Injectable, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { WorkerClient } from '#contexts/membership/http';
import { namespaceView, type UfsPolicy } from '#contexts/namespace';
import { DomainError } from '#kernel';
import { Views } from '#runtime';
import { jobs } from '../index.js';
import { JobKinds } from '../kinds/index.js';
import { Presence } from '../owner/presence.js';
import { partOf } from './quota-shares.js';
import { QuotaLedger } from './quota-ledger.js';

const lookMs = 500;
const busyMs = 50;
/**
 * The pause after a look that changed nothing: the copies that are left are being read, or a running job counts on
 * them.
 */
const patienceMs = 5_000;
const holdingsSchema = z.object({ holdings: z.array(z.object({ bytes: z.number(), busy: z.boolean() })) });

/**
 * Has workers evict the bytes that exceed a quota, after it was lowered or when a worker came back. Bytes at an offline
 * worker are evicted when it comes back. One living coordinator does this. It asks one worker after the other to evict
 * its part, in proportion to what it holds. A worker evicts the lowest priority and the least recently used first, and
 * nothing that a running job counts on. While a job holds some files twice, the keeper waits for it.
 */
@Injectable()
export class QuotaKeeper implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger('quota');
  private timer?: NodeJS.Timeout;
  private stopped = false;
  /** By quota: the bytes that were held when a look changed nothing, and the time of the next look. */
  private readonly stuck = new Map<string, { bytes: number; untilMs: number }>();

  constructor(
    private readonly views: Views,
    private readonly presence: Presence,
    private readonly ledger: QuotaLedger,
    private readonly workers: WorkerClient,
    private readonly kinds: JobKinds,
  ) {}

  onApplicationBootstrap(): void {
    this.next();
  }

  onModuleDestroy(): void {
    this.stopped = true;
    clearTimeout(this.timer);
  }

  private next(): void {
    if (this.stopped) return;
    this.timer = setTimeout(() => void this.look().finally(() => this.next()), lookMs).unref();
  }

  /** Never rejects. */
  private async look(): Promise<void> {
    try {
      if (!this.presence.isChosen('quota-keeper') || this.isHeldTwice()) return;
      for (const quota of this.ledger.overfull()) await this.hold(quota);
    } catch (error) {
      // A worker does not answer, or the log is away. The next look comes soon.
      const { message, stack } = error as Error;
      this.logger[error instanceof DomainError ? 'debug' : 'error'](`quotas could not be checked: ${stack ?? message}`);
    }
  }

  private async hold({ ufsPath, value }: UfsPolicy<number>): Promise<void> {
    const stuck = this.stuck.get(ufsPath);
    if (stuck && stuck.bytes === value && stuck.untilMs > performance.now()) return;
    const online = this.ledger.online();
    // Ask the workers again: heartbeats are older, and bytes that were evicted since must not be asked for twice.
    const holdings = await Promise.all(online.map((workerId) => this.ask(workerId, ufsPath)));
    if (holdings.some(({ busy }) => busy)) return;
    let rest = holdings.reduce((sum, { bytes }) => sum + bytes, 0);
    let excess = rest - value;
    for (const [i, workerId] of online.entries()) {
      const { bytes } = holdings[i];
      const part = partOf(excess, bytes, rest);
      if (part > 0) excess -= bytes - (await this.evict(workerId, ufsPath, bytes - part));
      rest -= bytes;
    }
    this.stuck.set(ufsPath, { bytes: value, untilMs: performance.now() + patienceMs });
  }

  /** @returns the bytes that the worker holds after the eviction */
  private async evict(workerId: string, ufsPath: string, maxBytes: number): Promise<number> {
    for (let now = await this.ask(workerId, ufsPath, maxBytes); ; now = await this.ask(workerId, ufsPath)) {
      if (!now.busy || this.stopped) return now.bytes;
      await delay(busyMs);
    }
  }

  private async ask(workerId: string, ufsPath: string, maxBytes?: number): Promise<{ bytes: number; busy: boolean }> {
    const namespace = this.views.get(namespaceView).sequence;
    const answer = await this.workers.post(workerId, '/v1/quotas', { quotas: [{ ufsPath, maxBytes }], namespace });
    return holdingsSchema.parse(answer).holdings[0];
  }

  private isHeldTwice(): boolean {
    const all = [...this.views.get(jobs).jobs.values()];
    return all.some(({ kind, state }) => state.status === 'running' && this.kinds.of(kind).holdsTwice);
  }
}
