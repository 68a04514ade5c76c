import { quotasOf, ufsPolicies, type NamespaceState, type UfsPolicy } from '#contexts/namespace';
import { DomainError } from '#kernel';
import type { Logger } from 'pino';
import { z } from 'zod';

const grantSchema = z.object({ granted: z.boolean() });
const timeoutMs = 1000;

/** Asks the coordinators, who know what all workers hold. @throws DomainError Unavailable */
export type AskForGrant = (
  request: { workerId: string; path: string; bytes: number },
  timeoutMs: number,
) => Promise<unknown>;

/** Whether what a reader asked for may also be kept: the coordinators say, but only where a quota applies. */
export class QuotaGrants {
  private quotas: UfsPolicy<number>[] = [];
  private ask: AskForGrant | undefined;

  constructor(
    private readonly workerId: string,
    private readonly logger: Logger,
  ) {}

  follow(namespace: NamespaceState): void {
    this.quotas = ufsPolicies(namespace).quotas;
  }

  connect(ask: AskForGrant): void {
    this.ask = ask;
  }

  /** False also when no coordinator answers in time: a quota that cannot be asked about is taken as full. */
  async mayKeep(path: string, bytes: number): Promise<boolean> {
    if (quotasOf({ quotas: this.quotas, ttls: [], priorities: [] }, path).length === 0) return true;
    try {
      return grantSchema.parse(await this.ask?.({ workerId: this.workerId, path, bytes }, timeoutMs)).granted;
    } catch (error) {
      if (!(error instanceof DomainError) && !(error instanceof z.ZodError)) throw error;
      this.logger.warn({ path, reason: error.message }, 'no answer about a quota: the object is not kept');
      return false;
    }
  }
}
