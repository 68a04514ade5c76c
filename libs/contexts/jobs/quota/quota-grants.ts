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
 * Answers workers that ask whether a copy may be cached for which no job has reserved room. Only one living coordinator
 * answers, so that the last room is granted once.
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
      // Workers of versions up to 0.2 send no id. Their figures show new copies too late to grant them room.
      return id === undefined ? { granted: false } : this.ledger.grant({ id, ...asked });
    });
  }

  onModuleDestroy(): void {
    this.unsubscribe?.();
  }
}
