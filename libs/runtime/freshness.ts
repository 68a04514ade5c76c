import { within } from '#async';
import { DomainError } from '#kernel';

export interface FreshnessOptions {
  /** Resolves when everything that was in the log at the call has been applied. @throws DomainError Unavailable */
  ask: () => Promise<unknown>;
  /** How long a reader waits for that before it gets a stale answer. Default 1.5 s. */
  waitMs?: number;
  /** How often the log is asked again while it does not answer. Default 250 ms. */
  probeMs?: number;
  now?: () => number;
}

/**
 * Whether this replica's views are known to hold everything that the log holds. Each reader has the log asked
 * (concurrent readers share a question), so that it sees all earlier writes, through whichever replica. Once a question
 * was not answered in time, readers wait no longer: until the log answers again, they learn how old their answer is.
 * The connection's state says little here: a NATS that has lost its majority keeps its connections.
 */
export class Freshness {
  private readonly waitMs: number;
  private readonly probeMs: number;
  private readonly now: () => number;
  /** When the last answered question was asked; before the first one, when this object was made. */
  private confirmedAtMs: number;
  private failing = false;
  /** Readers share a question and what follows from its answer: with many of them, each costs one promise. */
  private current: Promise<number | undefined> | undefined;
  private following: Promise<number | undefined> | undefined;
  private stopped = false;
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly options: FreshnessOptions) {
    this.waitMs = options.waitMs ?? 1_500;
    this.probeMs = options.probeMs ?? 250;
    this.now = options.now ?? (() => performance.now());
    this.confirmedAtMs = this.now();
  }

  /**
   * Undefined when the views hold everything that was in the log at the call, else how old they may be, milliseconds.
   */
  ensure(): Promise<number | undefined> {
    if (this.failing) return Promise.resolve(this.staleMs());
    if (this.current === undefined) return this.begin(this.now());
    // The question that is under way was asked before this call.
    if (this.following === undefined) {
      const calledAtMs = this.now();
      const next = () => (this.failing ? this.staleMs() : this.begin(calledAtMs));
      this.following = this.current.then(next, next);
    }
    return this.following;
  }

  /** Milliseconds since the views were last known to be complete; undefined while the log answers. */
  staleMs(): number | undefined {
    return this.failing ? this.now() - this.confirmedAtMs : undefined;
  }

  /** Notes that the log cannot be reached, as another part of the process has found. */
  fail(): void {
    if (this.failing || this.stopped) return;
    this.failing = true;
    this.probeLater();
  }

  stop(): void {
    this.stopped = true;
    clearTimeout(this.timer);
  }

  private probeLater(): void {
    this.timer = setTimeout(() => void this.probe(), this.probeMs);
    this.timer.unref();
  }

  private async probe(): Promise<void> {
    // Ignore the error: readers get it when they ask.
    const answered = await this.confirm().catch(() => false);
    if (this.stopped) return;
    if (answered) this.failing = false;
    else this.probeLater();
  }

  /** @param calledAtMs when the first of the readers called that get this answer */
  private begin(calledAtMs: number): Promise<number | undefined> {
    this.following = undefined;
    const current = this.confirmOrFail(calledAtMs).finally(() => {
      if (this.current === current) this.current = undefined;
    });
    return (this.current = current);
  }

  private async confirmOrFail(calledAtMs: number): Promise<number | undefined> {
    if (!(await this.confirm(this.waitMs - (this.now() - calledAtMs)))) this.fail();
    return this.staleMs();
  }

  private async confirm(waitMs = this.waitMs): Promise<boolean> {
    const askedAtMs = this.now();
    if (!(await inTime(this.options.ask(), waitMs))) return false;
    this.confirmedAtMs = Math.max(this.confirmedAtMs, askedAtMs);
    return true;
  }
}

/** @throws errors other than Unavailable */
async function inTime(question: Promise<unknown>, waitMs: number): Promise<boolean> {
  const answered = question.then(
    () => true,
    (error: unknown) => {
      if (error instanceof DomainError && error.kind === 'Unavailable') return false;
      throw error;
    },
  );
  return (await within(answered, waitMs)) ?? false;
}
