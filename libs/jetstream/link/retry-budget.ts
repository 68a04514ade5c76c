import { type NatsError } from 'nats';
import { DomainError } from '#kernel';
import { type NatsLink } from './connection.js';
import { isDefiniteRefusal, messageOf } from './errors.js';

/** Paces the attempts of one publish, and makes the error if all of them fail. */
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

  /** Waits until the next attempt may start. @returns false when the budget is spent */
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

  /** Time limit of the current attempt. It is cut at the deadline, but never below a second. */
  attemptMs(mostMs: number): number {
    return Math.min(mostMs, Math.max(1_000, this.deadline - performance.now()));
  }

  /** An attempt failed. It may have been carried out all the same, unless it had no responder. */
  note(error: unknown): void {
    this.lastError = error;
    this.unclear ||= !isNoResponders(error);
  }

  /** A read that looked for the outcome failed. This does not change the outcome. */
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

/** NATS itself reports that the subject has no listener: no stream has seen the request. */
function isNoResponders(error: unknown): boolean {
  const { code, api_error: answer } = error as Partial<NatsError>;
  return answer === undefined && code === '503';
}

/**
 * Runs a read request. Failures on the way become "unavailable"; answers of JetStream are passed on.
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
