import { retryWhile } from '#async';
import { GrowingPauses, type Log, type NatsLink } from '#jetstream';
import { DomainError } from '#kernel';

/** A replicated stream has no leader for a while after it was created or its servers were started. */
const availableWithinMs = 60_000;
const againMs = 250;

/** The steps of a coordinator from its connection to its views. At each step it can tell what it waits for, and why. */
export class Stages {
  private what: () => string = () => '';
  private reason: string | undefined;
  private readonly pauses: GrowingPauses;

  constructor(
    private readonly link: Pick<NatsLink, 'trouble'>,
    log: Log,
    waitFor: (what: () => string) => void,
  ) {
    this.pauses = new GrowingPauses((reason) => log('warn', `${this.what()}: ${reason}; trying again`));
    waitFor(() => this.describe());
  }

  enter(what: string | (() => string)): void {
    this.what = typeof what === 'string' ? () => what : what;
    this.reason = undefined;
    this.pauses.over();
  }

  /** Retries while the error is Unavailable. @throws any other error at once; Unavailable when the time is over */
  untilAvailable<T>(ask: () => Promise<T>): Promise<T> {
    const deadlineMs = performance.now() + availableWithinMs;
    const mayPass = (error: unknown): boolean => {
      if (!(error instanceof DomainError) || error.kind !== 'Unavailable') return false;
      if (performance.now() > deadlineMs) return false;
      this.reason = error.message;
      this.pauses.failed(error.message);
      return true;
    };
    return retryWhile(ask, { mayPass, pauseMs: againMs });
  }

  private describe(): string {
    const why = this.link.trouble ?? this.reason;
    return why === undefined ? this.what() : `${this.what()}; ${why}`;
  }
}
