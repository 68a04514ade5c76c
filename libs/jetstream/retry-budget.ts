import { DomainError } from '#kernel';
import { type NatsLink } from './connection.js';
import { isDefiniteRefusal, messageOf } from './errors.js';

/** Paces the attempts of one publish, and says at the end what can be said. */
export class RetryBudget {
  private readonly deadline: number;
  private attempts = 0;
  private lastError: unknown;

  constructor(
    private readonly link: NatsLink,
    budgetMs: number,
  ) {
    this.deadline = performance.now() + budgetMs;
  }

  /** Waits until the next attempt may be made; false when the budget is spent. */
  async next(): Promise<boolean> {
    if (this.attempts > 0) {
      const pause = Math.min(20 * 2 ** Math.min(this.attempts - 1, 5), 400) * (0.5 + Math.random());
      if (performance.now() + pause >= this.deadline) return false;
      await new Promise((again) => setTimeout(again, pause));
    }
    if (!(await this.link.whenConnected(this.deadline))) return false;
    this.attempts++;
    return true;
  }

  note(error: unknown): void {
    this.lastError = error;
  }

  exhausted(): DomainError {
    return this.attempts === 0
      ? new DomainError('Unavailable', 'nats-unreachable', 'NATS is not connected; nothing was sent')
      : new DomainError(
          'Unavailable',
          'outcome-unknown',
          `NATS did not say whether the write was stored: ${messageOf(this.lastError ?? 'no answer')}`,
          { cause: this.lastError },
        );
  }
}

/**
 * A read request: what goes wrong on the way is "unavailable"; what JetStream answers is passed on.
 * @param timeoutMs as for `NatsLink.abortable`
 */
export async function unavailableUnlessRefused<T>(
  link: NatsLink,
  request: () => Promise<T>,
  timeoutMs?: number,
): Promise<T> {
  try {
    if (!link.connected) throw new DomainError('Unavailable', 'nats-unreachable', 'NATS is not connected');
    return await link.abortable(request, timeoutMs);
  } catch (error) {
    if (error instanceof DomainError || isDefiniteRefusal(error)) throw error;
    throw new DomainError('Unavailable', 'nats-unreachable', `NATS does not answer: ${messageOf(error)}`, {
      cause: error,
    });
  }
}
