import { Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { z } from 'zod';
import { noAnswer } from '#jetstream';
import { Heartbeats } from '#runtime';
import { Presence } from '../owner/presence.js';
import { QuotaLedger } from './quota-ledger.js';

const requestSchema = z.object({
  workerId: z.string(),
  id: z.string().optional(),
  path: z.string(),
  bytes: z.number(),
});

/**
 * Answers workers that want to keep a copy that no job has room for: may it be cached without breaking a quota? One
 * living coordinator answers, so that of those who want the last room one gets it.
 */
@Injectable()
export class QuotaGrants implements OnApplicationBootstrap, OnModuleDestroy {
  private unsubscribe?: () => void;

  constructor(
    private readonly bus: Heartbeats,
    private readonly presence: Presence,
    private readonly ledger: QuotaLedger,
  ) {}

  onApplicationBootstrap(): void {
    this.unsubscribe = this.bus.onCoordinatorsRequest('quota-grant', (value) => {
      if (!this.presence.isChosen('quota-grants')) return noAnswer;
      const { id, ...asked } = requestSchema.parse(value);
      // What a worker of a version up to 0.2 brings in, its figures show too late.
      return id === undefined ? { granted: false } : this.ledger.grant({ id, ...asked });
    });
  }

  onModuleDestroy(): void {
    this.unsubscribe?.();
  }
}
