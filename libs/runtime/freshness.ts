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
 * Whether this replica's views are known to hold everything the log holds. Each reader has the log asked (concurrent
 * readers share a question), so that it sees what was written before it came, through whichever replica. Once a
 * question was not answered in time, readers wait no longer: they are told how old their answer is, until the log
 * answers again. A connection says little here: a NATS that has lost its majority keeps its connections.
 */
export class Freshness {
  private readonly waitMs: number;
  private readonly probeMs: number;
  private readonly now: () => number;
  /** When the last question was asked that has been answered; before the first, when this began. */
  private confirmedAtMs: number;
  private failing = false;
  private stopped = false;
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly options: FreshnessOptions) {
    this.waitMs = options.waitMs ?? 1_500;
    this.probeMs = options.probeMs ?? 250;
    this.now = options.now ?? (() => performance.now());
    this.confirmedAtMs = this.now();
  }

  /** Undefined when the views hold everything that was in the log at the call, else how old they may be, milliseconds. */
  async ensure(): Promise<number | undefined> {
    if (!this.failing && !(await this.confirm())) this.fail();
    return this.staleMs();
  }

  /** Milliseconds since the views were last known to be complete; undefined while the log answers. */
  staleMs(): number | undefined {
    return this.failing ? this.now() - this.confirmedAtMs : undefined;
  }

  /** The log cannot be reached, as far as somebody else can tell. */
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
    // Whatever is wrong, readers will be told when they ask; nobody listens here.
    const answered = await this.confirm().catch(() => false);
    if (this.stopped) return;
    if (answered) this.failing = false;
    else this.probeLater();
  }

  private async confirm(): Promise<boolean> {
    const askedAtMs = this.now();
    if (!(await inTime(this.options.ask(), this.waitMs))) return false;
    this.confirmedAtMs = Math.max(this.confirmedAtMs, askedAtMs);
    return true;
  }
}

/** @throws what is not Unavailable */
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
