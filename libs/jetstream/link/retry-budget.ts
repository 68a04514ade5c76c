import { type NatsError } from 'nats';
import { DomainError } from '#kernel';
import { type NatsLink } from './connection.js';
import { isDefiniteRefusal, messageOf } from './errors.js';

/** Paces the attempts of one publish, and says at the end what can be said. */
export class RetryBudget {
  private readonly deadline: number;
  private attempts = 0;
  private lastError: unknown;
  private unclear = false;

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

  /** What the attempt that is under way may take, so that the last one does not begin with all the time there is. */
  attemptMs(mostMs: number): number {
    return Math.min(mostMs, Math.max(1_000, this.deadline - performance.now()));
  }

  /** An attempt failed. Unless nobody was there to take it, it may have been carried out all the same. */
  note(error: unknown): void {
    this.lastError = error;
    this.unclear ||= !isNoResponders(error);
  }

  /** A look at what has become of it failed: that changes nothing. */
  noteRead(error: unknown): void {
    this.lastError ??= error;
  }

  exhausted(): DomainError {
    if (this.attempts === 0) {
      return new DomainError('Unavailable', 'nats-unreachable', 'NATS is not connected; nothing was sent');
    }
    const cause = this.lastError;
    if (!this.unclear) {
      const text = 'nothing was stored: the log has no leader (one is being elected, or most NATS servers are away)';
      return new DomainError('Unavailable', 'no-leader', text, { cause });
    }
    const why = messageOf(cause ?? 'no answer');
    const text = `NATS did not say whether the write was stored: ${why}; look before you repeat it`;
    return new DomainError('Unavailable', 'outcome-unknown', text, { cause });
  }
}

/** NATS itself says that nobody listens where the request went: no stream has seen it. */
function isNoResponders(error: unknown): boolean {
  const { code, api_error: answer } = error as Partial<NatsError>;
  return answer === undefined && code === '503';
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
