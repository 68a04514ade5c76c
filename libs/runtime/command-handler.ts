import { DomainError, type CommandContext, type Decider, type DomainEvent, type RecordedEvent } from '#kernel';
import { timeLeft, untilAnswered } from './answer-time.js';
import type { OnCommitted } from './logging/commit-lines.js';

/** The part of the event store that commands need. */
export interface AppendOnlyLog {
  append(
    boundary: string,
    expectedSequence: number,
    events: readonly RecordedEvent[],
    options: { atMostMs: number },
  ): Promise<{ sequence: number }>;
}

/** The part of the views that commands need. */
export interface ConsistentReads {
  waitFor(sequence: number, timeoutMs?: number): Promise<void>;
  /** Resolves when everything that was in the log at the time of the call has been applied. */
  caughtUp(timeoutMs?: number): Promise<void>;
}

/** An aggregate as a command finds it: its state, and the last sequence of its boundary that the state includes. */
export interface Aggregate<State, Command, Event extends DomainEvent> {
  boundary: string;
  decider: Decider<State, Command, Event>;
  load(): { state: State; sequence: number };
}

export interface Decided<Event> {
  events: readonly Event[];
  /** The outcome is visible from this log sequence on; 0 when the command changed nothing. */
  sequence: number;
}

/** So many conflicts in a row are not bad luck: something else is wrong. */
const maxConflicts = 50;

/**
 * Reads the state, decides, and appends under the expected sequence; on conflict it reads and decides again. It answers
 * once the replica's own views show what was appended, so that the client can read it here.
 */
export class CommandHandler {
  constructor(
    private readonly log: AppendOnlyLog,
    private readonly reads: ConsistentReads,
    private readonly record: (events: readonly DomainEvent[], context: CommandContext) => RecordedEvent[],
    /** Called with what a command has written, for the log of this process; also by code that appends directly. */
    readonly committed: OnCommitted = () => undefined,
  ) {}

  /** @throws DomainError what `decide` refused, or Unavailable when the outcome is unknown */
  async execute<State, Command, Event extends DomainEvent>(
    aggregate: Aggregate<State, Command, Event>,
    command: Command,
    context: CommandContext,
  ): Promise<Decided<Event>> {
    const leftMs = timeLeft(context);
    let fresh = false;
    for (let conflicts = 0; ;) {
      const { state, sequence: expected } = aggregate.load();
      let events: readonly Event[];
      try {
        events = aggregate.decider.decide(state, command);
      } catch (error) {
        // A refusal from an old view may be wrong: another replica may have done what the view misses.
        if (!(error instanceof DomainError) || fresh) throw error;
        await this.caughtUp(leftMs);
        fresh = true;
        continue;
      }
      if (events.length === 0) {
        if (fresh) return { events, sequence: 0 };
        // "Nothing to change" from an old view may be wrong, too: another replica may have changed it meanwhile.
        await this.caughtUp(leftMs);
        fresh = true;
        continue;
      }
      try {
        const recorded = this.record(events, context);
        const { sequence } = await this.log.append(aggregate.boundary, expected, recorded, { atMostMs: leftMs() });
        this.committed(aggregate.boundary, recorded, sequence);
        await this.reads.waitFor(sequence, leftMs());
        return { events, sequence };
      } catch (error) {
        if (!(error instanceof DomainError) || error.kind !== 'StaleVersion' || ++conflicts >= maxConflicts)
          throw error;
        await this.caughtUp(leftMs);
        fresh = true;
      }
    }
  }

  private caughtUp(leftMs: () => number): Promise<void> {
    return untilAnswered(leftMs, (timeoutMs) => this.reads.caughtUp(timeoutMs));
  }
}
