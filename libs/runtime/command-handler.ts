import { pause } from '#async';
import { StaleVersionError } from '#jetstream';
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
/** Commands that are decided and appended together: enough for a burst, and small as one commit. */
const groupAtMost = 64;
/** The longest pause after a conflict. Coordinators that conflict again and again get out of step by it. */
const maxPauseMs = 40;

/** A command that waits for its turn, or is being decided. */
interface Pending {
  readonly aggregate: Aggregate<unknown, unknown, DomainEvent>;
  readonly command: unknown;
  readonly context: CommandContext;
  readonly leftMs: () => number;
  resolve(decided: Decided<DomainEvent>): void;
  reject(error: unknown): void;
}

/** What is decided on a command, as long as the log does not show another state. */
type Decision = { readonly pending: Pending } & (
  { readonly events: readonly DomainEvent[] } | { readonly refusal: unknown }
);

/**
 * Reads the state, decides, and appends under the expected sequence; on conflict it reads and decides again. It answers
 * once the replica's own views show what was appended, so that the client can read it here.
 *
 * The commands of this process on one boundary take turns. Those that come while others are being appended form the next
 * group: they are decided one after the other, each on the state that the ones before it lead to, and appended as one
 * commit. Without this, every command would conflict with all others, and the slowest would never get through. Each has
 * its own outcome, and its events name its own request.
 */
export class CommandHandler {
  private readonly lines = new Map<string, Pending[]>();

  constructor(
    private readonly log: AppendOnlyLog,
    private readonly reads: ConsistentReads,
    private readonly record: (events: readonly DomainEvent[], context: CommandContext) => RecordedEvent[],
    /** Called with what commands have written, for the log of this process; also by code that appends directly. */
    readonly committed: OnCommitted = () => undefined,
  ) {}

  /** @throws DomainError what `decide` refused, or Unavailable when the outcome is unknown */
  execute<State, Command, Event extends DomainEvent>(
    aggregate: Aggregate<State, Command, Event>,
    command: Command,
    context: CommandContext,
  ): Promise<Decided<Event>> {
    return new Promise<Decided<Event>>((resolve, reject) => {
      // A command only ever meets the decider and the state of its own aggregate.
      const pending = { aggregate, command, context, leftMs: timeLeft(context), resolve, reject } as unknown as Pending;
      const line = this.lines.get(aggregate.boundary);
      if (line) return void line.push(pending);
      this.lines.set(aggregate.boundary, [pending]);
      void this.serve(aggregate.boundary);
    });
  }

  private async serve(boundary: string): Promise<void> {
    const line = this.lines.get(boundary)!;
    while (line.length > 0) {
      const group: Pending[] = [];
      try {
        await this.settle(group, () => takeFrom(line, group));
      } catch (error) {
        for (const pending of group) pending.reject(error);
      }
    }
    this.lines.delete(boundary);
  }

  /**
   * Gives each command of a group its outcome.
   * @param grow adds those that have come meanwhile
   * @throws an error that is the outcome of all that have none yet
   */
  private async settle(group: Pending[], grow: () => void = () => undefined): Promise<void> {
    const leftMs = () => Math.min(...group.map((pending) => pending.leftMs()));
    grow();
    const { aggregate } = group[0];
    let fresh = false;
    for (let conflicts = 0; ;) {
      const expected = aggregate.load();
      const decisions = decide(group, expected.state);
      // Another replica may have done what the view misses.
      if (!fresh && decisions.some(mayBeWrong)) {
        await this.caughtUp(leftMs);
        fresh = true;
        continue;
      }
      try {
        const sequence = await this.append(decisions.filter(changes), expected.sequence, leftMs);
        for (const decision of decisions) {
          const { pending } = decision;
          if ('refusal' in decision) pending.reject(decision.refusal);
          else pending.resolve({ events: decision.events, sequence: decision.events.length > 0 ? sequence : 0 });
        }
        return;
      } catch (error) {
        if (isCode(error, 'commit-too-large') && group.length > 1) return this.settleHalves(group);
        if (!(error instanceof DomainError) || error.kind !== 'StaleVersion' || ++conflicts >= maxConflicts) {
          return this.failed(decisions, error);
        }
        if (conflicts > 1) await pause(Math.random() * Math.min(maxPauseMs, 2 ** conflicts));
        fresh = await this.overtaken(error, leftMs);
        // Not after the log was asked: what its answer shows may be too old for commands that came later.
        if (!fresh) grow();
      }
    }
  }

  /**
   * Resolves when the state includes what was appended instead.
   * @returns whether it includes everything that was in the log
   */
  private async overtaken(error: DomainError, leftMs: () => number): Promise<boolean> {
    if (error instanceof StaleVersionError) {
      await this.reads.waitFor(error.actual, leftMs());
      return false;
    }
    await this.caughtUp(leftMs);
    return true;
  }

  /** @returns 0 if there is nothing to append */
  private async append(
    decisions: readonly (Decision & { events: readonly DomainEvent[] })[],
    expected: number,
    leftMs: () => number,
  ): Promise<number> {
    if (decisions.length === 0) return 0;
    const { boundary } = decisions[0].pending.aggregate;
    const recorded = decisions.flatMap(({ pending, events }) => this.record(events, pending.context));
    const { sequence } = await this.log.append(boundary, expected, recorded, { atMostMs: leftMs() });
    this.committed(boundary, recorded, sequence);
    await this.reads.waitFor(sequence, leftMs());
    return sequence;
  }

  private async settleHalves(group: readonly Pending[]): Promise<void> {
    const half = Math.ceil(group.length / 2);
    for (const part of [group.slice(0, half), group.slice(half)]) {
      await this.settle(part).catch((error: unknown) => part.forEach((pending) => pending.reject(error)));
    }
  }

  /**
   * Of commands that were appended together, all have the same error. The others were decided on what those would have led
   * to, so they are decided again.
   */
  private async failed(decisions: readonly Decision[], error: unknown): Promise<void> {
    for (const decision of decisions) if (changes(decision)) decision.pending.reject(error);
    const rest = decisions.filter((decision) => !changes(decision)).map(({ pending }) => pending);
    if (rest.length > 0) await this.settle(rest);
  }

  private caughtUp(leftMs: () => number): Promise<void> {
    return untilAnswered(leftMs, (timeoutMs) => this.reads.caughtUp(timeoutMs));
  }
}

/** Adds those at the front of the line that have the same decider, as far as a group has room. */
function takeFrom(line: Pending[], group: Pending[]): void {
  const { decider } = (group[0] ?? line[0]).aggregate;
  const others = line.findIndex(({ aggregate }) => aggregate.decider !== decider);
  group.push(...line.splice(0, Math.min(groupAtMost - group.length, others < 0 ? line.length : others)));
}

/** Decides on the commands one after the other, each on the state that the ones before it lead to. */
function decide(group: readonly Pending[], from: unknown): Decision[] {
  let state = from;
  return group.map((pending) => {
    const { decider } = pending.aggregate;
    try {
      const events = decider.decide(state, pending.command);
      for (const event of events) state = decider.evolve(state, event);
      return { pending, events };
    } catch (error) {
      return { pending, refusal: error };
    }
  });
}

function changes(decision: Decision): decision is Decision & { events: readonly DomainEvent[] } {
  return 'events' in decision && decision.events.length > 0;
}

/** Whether a decision on an old view may be another one on the present one, without the log's guard noticing. */
function mayBeWrong(decision: Decision): boolean {
  return 'refusal' in decision ? decision.refusal instanceof DomainError : decision.events.length === 0;
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof DomainError && error.code === code;
}
