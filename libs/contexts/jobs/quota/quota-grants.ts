import { Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { z } from 'zod';
import { noAnswer } from '#jetstream';
import { Heartbeats } from '#runtime';
import { Presence } from '../owner/presence.js';
import { QuotaLedger } from './quota-ledger.js';

const requestSchema = z.object({ workerId: z.string(), path: z.string(), bytes: z.number() });

/**
 * Answers workers that want to keep what a reader asked for: may it be cached without breaking a quota? One living
 * coordinator answers, so that two of them cannot both give the last room away.
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
      const { path, bytes } = requestSchema.parse(value);
      return { granted: this.ledger.grant(path, bytes) };
    });
  }

  onModuleDestroy(): void {
    this.unsubscribe?.();
  }
}
